import { BACKSLASH, QUOTE } from './chars.ts';

/** Most fields kept of one line: real lines stay under 40, and the rest would only burden viewers. */
export const MAX_FIELDS = 64;

/** Collects fields up to the bound; the last of repeated keys wins, and any key is safe, `__proto__` included. */
export interface FieldSet {
  readonly all: Record<string, string>;
  set(key: string, value: string): void;
}

/** An empty set. */
export function createFields(): FieldSet {
  const all: Record<string, string> = {};
  let count = 0;
  return {
    all,
    set(key, value) {
      if (!Object.hasOwn(all, key)) {
        if (count >= MAX_FIELDS) return;
        count++;
      }
      if (key === '__proto__') {
        Object.defineProperty(all, key, { value, enumerable: true, configurable: true, writable: true });
      } else {
        all[key] = value;
      }
    },
  };
}

/** Index of the quote that closes the one at `open`, or -1. A backslash shields the character after it. */
export function closingQuote(text: string, open: number): number {
  let at = text.indexOf('"', open + 1);
  while (at > 0) {
    let back = at - 1;
    while (text.charCodeAt(back) === BACKSLASH && back > open) back--;
    if ((at - back) % 2 === 1) return at;
    at = text.indexOf('"', at + 1);
  }
  return -1;
}

const SHORT_ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  '"': '"',
  '\\': '\\',
  '/': '/',
  "'": "'",
};

/** Most digits of a code point (`\u{10ffff}`). */
const HEX_MAX = 6;

/** The code point of a hexadecimal number of `length` digits at `pos`, or -1. */
function hexAt(text: string, pos: number, length: number): number {
  if (length < 1 || length > HEX_MAX || pos + length > text.length) return -1;
  let value = 0;
  for (let at = pos; at < pos + length; at++) {
    const digit = Number.parseInt(text.charAt(at), 16);
    if (Number.isNaN(digit)) return -1;
    value = value * 16 + digit;
  }
  return value > 0x10ffff ? -1 : value;
}

/**
 * The text with its escapes decoded: those of JSON (RFC 8259 section 7), and `\xHH`, `\'` and `\u{H}` as Go, nginx and
 * Rust print them. Anything else after a backslash stays as it is.
 */
export function decodeEscapes(text: string): string {
  let slash = text.indexOf('\\');
  if (slash < 0) return text;
  const parts: string[] = [];
  let from = 0;
  while (slash >= 0) {
    const mark = text.charAt(slash + 1);
    const short = SHORT_ESCAPES[mark];
    let decoded: string | undefined = short;
    let end = slash + 2;
    if (short === undefined && (mark === 'u' || mark === 'x')) {
      const braced = mark === 'u' && text.charAt(slash + 2) === '{';
      const close = braced ? slash + 3 + text.slice(slash + 3, slash + 3 + HEX_MAX + 1).indexOf('}') : -1;
      const start = braced ? slash + 3 : slash + 2;
      const length = braced ? close - start : mark === 'u' ? 4 : 2;
      const code = hexAt(text, start, length);
      if (code >= 0) {
        decoded = String.fromCodePoint(code);
        end = braced ? close + 1 : start + length;
      }
    }
    if (decoded !== undefined) {
      if (from < slash) parts.push(text.slice(from, slash));
      parts.push(decoded);
      from = end;
    }
    slash = text.indexOf('\\', Math.max(end, from));
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** A value as printed: trimmed, and without the double quotes around the whole of it, their escapes decoded. */
export function plainValue(text: string): string {
  const value = text.trim();
  const last = value.length - 1;
  if (last < 1 || value.charCodeAt(0) !== QUOTE || value.charCodeAt(last) !== QUOTE) return value;
  return closingQuote(value, 0) === last ? decodeEscapes(value.slice(1, last)) : value;
}
