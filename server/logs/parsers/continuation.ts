import { digitsEnd, isLetter, isWord } from './chars.ts';
import { isTableRow } from './prefix.ts';

/** `at pkg.Class.method(File.java:1)`, `at fn (file.js:1:2)`, `at src/main.rs:10:5`: what follows looks like code. */
function isAtFrame(text: string, indented: boolean): boolean {
  return indented || text.includes('(') || text.includes(':') || text.includes('.') || text.includes('<');
}

const EXCEPTION_ENDS = ['Exception', 'Error', 'Throwable'];

/** True for a class with its packages, as Java and .NET print exceptions: `io.libp2p.core.ConnectionClosed`. */
function isClassPath(name: string, dots: number): boolean {
  const last = name.charCodeAt(name.lastIndexOf('.') + 1);
  return dots > 1 && last >= 65 && last <= 90;
}

/**
 * `some.pkg.XException: text`, `TypeError: text`, `Error [CODE]: text`, `X.SocketException (111): text`, and the bare
 * `java.lang.StackOverflowError`.
 */
function isException(text: string): boolean {
  let at = 0;
  let dots = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46) dots++;
    else if (!isWord(code) && code !== 36) break;
  }
  if (at < 5 || !isLetter(text.charCodeAt(0))) return false;
  const name = text.slice(0, at);
  const known = EXCEPTION_ENDS.some((end) => name.endsWith(end));
  if (at === text.length) return dots > 0 && known;
  if (text.startsWith(': ', at) || (text.charCodeAt(at) === 58 && at + 1 === text.length)) {
    return known || isClassPath(name, dots);
  }
  if (!known) return false;
  return (
    (text.startsWith(' [', at) && text.includes(']: ')) || (text.startsWith(' (', at) && text.includes('): '))
  );
}

/** Index after one or more path characters that end in `extension` followed by `mark`, or -1. */
function fileMark(text: string, extension: string): number {
  const found = text.indexOf(extension);
  if (found < 1) return -1;
  const space = text.indexOf(' ');
  return space >= 0 && space < found ? -1 : found + extension.length;
}

/** `file.go:12 +0x1f` and `dir/file.go:12 .func` (and `file.go:12` alone). */
function isGoPlace(text: string): boolean {
  const colon = fileMark(text, '.go:');
  if (colon < 0) return false;
  const end = digitsEnd(text, colon);
  if (end === colon) return false;
  return end === text.length || text.startsWith(' +0x', end) || text.startsWith(' .', end);
}

/** `path.nim(12) proc`, `../generated.c(12)`, `dir/file(12) proc`: a path, a line number, and at most a name. */
function isNimPlace(text: string): boolean {
  const space = text.indexOf(' ');
  const end = (space < 0 ? text.length : space) - 1;
  if (text.charCodeAt(end) !== 41) return false;
  const open = text.lastIndexOf('(', end);
  if (open < 1 || open + 1 === end || digitsEnd(text, open + 1) !== end) return false;
  const path = text.slice(0, open);
  return path.includes('/') || path.endsWith('.nim') || path.endsWith('.c') || path.endsWith('.cpp');
}

const GO_ARGUMENT = new Set([...'0123456789abcdefxABCDEF?,{}. _'].map((char) => char.charCodeAt(0)));

/** True for `pkg/path.(*Type).Method.func1`, `main.main`, `runtime.goexit`: a Go function with its package. */
function isGoFunction(name: string): boolean {
  if (!isLetter(name.charCodeAt(0)) || name.includes(' ') || name.includes(':') || name.includes('='))
    return false;
  const dot = name.indexOf('.', name.lastIndexOf('/') + 1);
  return dot > 0 && dot < name.length - 1;
}

/**
 * `pkg/path.(*Type).Method(0xc000, {0x1?, 0x2})`, `main.main()`, `panic({0x1, 0x2})`; without arguments, as errors with
 * a stack print it, only where the name cannot be a word of prose.
 */
function isGoFrame(text: string): boolean {
  if (!text.endsWith(')')) {
    const sure =
      text.includes('/') || text.includes('.(*') || text.startsWith('runtime.') || text.startsWith('main.');
    return sure && isGoFunction(text);
  }
  const open = text.lastIndexOf('(');
  if (open < 1) return false;
  for (let at = open + 1; at < text.length - 1; at++) if (!GO_ARGUMENT.has(text.charCodeAt(at))) return false;
  const name = text.slice(0, open);
  return name === 'panic' || isGoFunction(name);
}

/** `34: core::ops::function` of a Rust backtrace. */
function isRustFrame(text: string, indented: boolean): boolean {
  const end = digitsEnd(text, 0);
  if (end === 0 || !text.startsWith(': ', end)) return false;
  return indented || text.includes('::') || text.startsWith('0x', end + 2);
}

const RULES = '-=+_*|';

/** A line drawn with one character: `-----------`. */
function isRule(text: string): boolean {
  if (text.length < 8 || !RULES.includes(text.charAt(0))) return false;
  for (let at = 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char !== text.charAt(0) && char !== '+' && char !== '|') return false;
  }
  return true;
}

/**
 * True if the line belongs to the entry above it: frames of stack traces (Java, .NET, JavaScript, Go, Rust, Nim), bare
 * exceptions, banners, table rows, and (where nothing else claims them) indented lines.
 * @param text the line without prefixes and surrounding blanks
 * @param indented whether it started with a blank
 */
export function isContinuation(text: string, indented: boolean): boolean {
  if (text === '') return false;
  if (indented) return true;
  switch (text.charAt(0)) {
    case '#':
      return true;
    case '.':
      return (
        (text.startsWith('... ') && (text.endsWith(' more') || text.endsWith(' omitted'))) || isNimPlace(text)
      );
    case '-':
      return isRule(text) || text.startsWith('--- End of ') || text.startsWith('---> ');
    case '[':
      return text.startsWith('[signal ');
    case '=':
    case '+':
    case '*':
    case '_':
    case '|':
      return isRule(text);
  }
  if (text.startsWith('at ')) return isAtFrame(text, indented);
  if (text.startsWith('goroutine ')) {
    const end = digitsEnd(text, 10);
    return end > 10 && text.charCodeAt(end) === 32 && text.includes('[', end) && text.endsWith(']:');
  }
  if (text.startsWith('created by ') || text.startsWith('Caused by:') || text.startsWith('Suppressed: '))
    return true;
  if (isRustFrame(text, indented) || isGoPlace(text) || isNimPlace(text) || isTableRow(text)) return true;
  return isException(text) || isGoFrame(text);
}

/** True for the first line of a crash, which is a fatal entry of its own: Go and Rust panics, signals. */
export function isCrash(text: string): boolean {
  if (
    text.startsWith('panic: ') ||
    text.startsWith('fatal runtime error: ') ||
    text.startsWith('fatal error: ')
  ) {
    return true;
  }
  if (text.startsWith('SIG')) {
    let at = 3;
    while (text.charCodeAt(at) >= 65 && text.charCodeAt(at) <= 90) at++;
    return at > 5 && text.startsWith(': ', at);
  }
  if (!text.startsWith('thread ')) return false;
  return text.includes(' has overflowed its stack') || text.includes(' panicked at');
}

/** True for the head of a Nim traceback, an error of its own. */
export function isTraceback(text: string): boolean {
  return text.startsWith('Traceback (most recent call last');
}
