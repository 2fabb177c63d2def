import { RE2JS } from 're2js';
import { AppError } from '../core/errors.ts';

/**
 * Most instructions of a compiled pattern. Matching takes at worst time in proportion to instructions and characters:
 * at this size about half a second for 64 kB, were it not for the bound on time below.
 */
const PROGRAM_MAX = 500;
/** Instructions that compiling is begun for; a million of them would take 0.7 s and 250 MB before they can be counted. */
const ESTIMATE_MAX = 5000;
/** Characters of a line that are looked at; journald cuts lines of stdout at 48 kB. */
const TEXT_MAX = 65_536;
/** A pattern may take this long in all without being judged, in ms, and then on average so long for a character, in ms. */
const TIME_FREE = 250;
const TIME_PER_CHAR = 0.0005;

function refuse(detail: string): AppError {
  return new AppError('invalid_pattern', { detail });
}

/** Index behind the bracket expression that starts at `from`. A `]` that comes first in it is a character. */
function classEnd(pattern: string, from: number): number {
  let at = from + 1;
  if (pattern[at] === '^') at++;
  if (pattern[at] === ']') at++;
  for (; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern.startsWith('[:', at)) {
      const close = pattern.indexOf(':]', at);
      if (close > 0) at = close + 1;
    } else if (pattern[at] === ']') return at + 1;
  }
  return at;
}

/**
 * About how many instructions a pattern compiles to: the copies that counted repetitions make (`(a{9}b){9}`) decide.
 * Reads each character once; what it misreads in a malformed pattern the compiler refuses.
 */
export function estimateProgram(pattern: string): number {
  /** Sizes of the open groups; `last` is that of the piece that a repetition would repeat. */
  const open: number[] = [];
  let size = 0;
  let last = 0;
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at];
    const repeat = char === '{' ? /^\{(\d{1,5})(?:,(\d{0,5}))?\}/.exec(pattern.slice(at, at + 14)) : null;
    if (repeat) {
      const [whole, least = '0', most] = repeat;
      // The piece is counted once already.
      size += last * Math.max(0, Math.max(Number(least), Number(most ?? 0)) - 1) + 1;
      at += whole.length;
      continue;
    }
    if (char === '(') {
      open.push(size);
      size = 2;
      at++;
    } else if (char === ')') {
      last = size;
      size += open.pop() ?? 0;
      at++;
    } else {
      if (char === '[') at = classEnd(pattern, at);
      else if (pattern.startsWith('\\Q', at)) {
        const end = pattern.indexOf('\\E', at + 2);
        const stop = end < 0 ? pattern.length : end;
        size += stop - at;
        at = stop;
      } else at += char === '\\' ? 2 : 1;
      size += 1;
      last = 1;
    }
  }
  return size + open.reduce((sum, one) => sum + one, 0);
}

/** True for text in which every character stands for itself. */
function isLiteral(pattern: string): boolean {
  return !/[\\^$.*+?()[\]{}|]/.test(pattern);
}

/**
 * Makes a test of a user's pattern on raw lines. The pattern is RE2 syntax (google/re2 wiki, Syntax) and runs in an
 * engine that cannot backtrack; it is bounded in size, looks at the first 64 kB of a line, and is given up when it takes
 * far longer than patterns do.
 *
 * @throws AppError invalid_pattern for what RE2 refuses or is too large, with the reason; the test throws it when the
 *   pattern takes too long
 */
export function compilePattern(pattern: string): (line: string) => boolean {
  if (isLiteral(pattern)) return (line) => line.includes(pattern);
  const tooLarge = 'the pattern is too large: use fewer or smaller repetitions';
  if (estimateProgram(pattern) > ESTIMATE_MAX) throw refuse(tooLarge);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
  if (compiled.programSize() > PROGRAM_MAX) throw refuse(tooLarge);
  let time = 0;
  let chars = 0;
  return (line) => {
    const text = line.length > TEXT_MAX ? line.slice(0, TEXT_MAX) : line;
    const started = performance.now();
    const found = compiled.test(text);
    time += performance.now() - started;
    chars += text.length;
    if (time > TIME_FREE && time > chars * TIME_PER_CHAR)
      throw refuse('the pattern takes too long on these lines');
    return found;
  };
}
