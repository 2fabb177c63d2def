import Anser from 'anser';

/** A piece of a line in one look. Rendered as text only, never as markup. */
export interface LineToken {
  readonly text: string;
  /** Class names for colour and weight; empty for plain text. */
  readonly className: string;
  readonly marked: boolean;
}

/**
 * Characters that would change how the rest is shown, or hide: C0 and C1 controls but tab, and the bidirectional
 * overrides and isolates (Unicode TR 36, section 3.3).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const UNSEEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Escape sequences other than colours: OSC up to its end, and CSI with any other final byte (ECMA-48, section 5.4). */
const OTHER_SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  /\u001b\][^\u0007\u001b]{0,4096}(?:\u0007|\u001b\\)?|\u001b\[[0-?]{0,64}[ -/]{0,8}[@-ln-~]/g;

/** Makes a line's hidden characters visible and takes escape sequences out that are not colours. */
function reveal(text: string): string {
  return text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
  });
}

/**
 * Splits a line into tokens by its own colours and by what was searched for.
 *
 * @param ranges finds the marked parts of the visible text, ascending, not overlapping
 */
export function tokenize(
  line: string,
  ranges: (text: string) => [start: number, end: number][],
): LineToken[] {
  const tokens = line.includes('\u001b')
    ? colours(line)
    : [{ text: reveal(line), className: '', marked: false }];
  const marks = ranges(tokens.map((token) => token.text).join(''));
  return marks.length === 0 ? tokens : mark(tokens, marks);
}

/** Characters of a raw line whose colours are looked at for its message. */
const COLOURED_MAX = 8000;

/**
 * The tokens of a message in the colours of the raw line that it was read from: the message itself has none any more.
 * Where it is not found there as it stands (quotes were decoded) it is shown without.
 */
export function tokenizeMessage(
  message: string,
  line: string,
  ranges: (text: string) => [start: number, end: number][],
): LineToken[] {
  if (message === line || !line.includes('\u001b')) return tokenize(message, ranges);
  const tokens = colours(line.slice(0, COLOURED_MAX));
  const start = tokens
    .map((token) => token.text)
    .join('')
    .indexOf(message);
  if (message === '' || start < 0) return tokenize(message, ranges);
  const part: LineToken[] = [];
  let offset = -start;
  for (const token of tokens) {
    const text = token.text.slice(Math.max(0, -offset), Math.max(0, message.length - offset));
    if (text !== '') part.push({ ...token, text });
    offset += token.text.length;
  }
  const marks = ranges(message);
  return marks.length === 0 ? part : mark(part, marks);
}

/** A raw line as it can be pasted anywhere: no escape sequences, and what is hidden made visible. */
export function plainText(line: string): string {
  return tokenize(line, () => [])
    .map((token) => token.text)
    .join('');
}

/** A value as JSON text that can be pasted anywhere: the same value, in which every hidden character is an escape. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(UNSEEN, (char) =>
    char === '\n' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function colours(line: string): LineToken[] {
  const parts = Anser.ansiToJson(line.replace(OTHER_SEQUENCES, ''), {
    use_classes: true,
    remove_empty: true,
  });
  return parts.map((part) => ({
    text: reveal(part.content),
    className: [
      part.fg ? `${part.fg}-fg` : '',
      part.decorations.includes('bold') ? 'font-semibold' : '',
      part.decorations.includes('dim') ? 'opacity-80' : '',
      part.decorations.includes('underline') ? 'underline' : '',
    ]
      .filter(Boolean)
      .join(' '),
    marked: false,
  }));
}

function mark(tokens: LineToken[], marks: [start: number, end: number][]): LineToken[] {
  const result: LineToken[] = [];
  let offset = 0;
  let next = 0;
  for (const { text, className } of tokens) {
    let position = 0;
    while (position < text.length) {
      const [start, end] = marks[next] ?? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      const marked = offset + position >= start;
      const stop = Math.min(text.length, (marked ? end : start) - offset);
      if (stop > position) result.push({ text: text.slice(position, stop), className, marked });
      position = stop;
      if (marked && offset + stop >= end) next += 1;
    }
    offset += text.length;
  }
  return result;
}
