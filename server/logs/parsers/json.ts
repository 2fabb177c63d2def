import { BACKSLASH, isBlank, isDigit, OPEN_CURLY, OPEN_SQUARE, QUOTE } from './chars.ts';
import { closingQuote, decodeEscapes } from './fields.ts';

/** A value of a JSON object: `text` is the decoded string, the number as printed, the word, or the compact JSON. */
export interface JsonValue {
  kind: 'string' | 'number' | 'word' | 'nested';
  text: string;
}

/** The members of an object; the last of repeated names wins. */
export type JsonMembers = Map<string, JsonValue>;

/** Most members kept of one object: enough to find the known names among them wherever they stand. */
const MAX_MEMBERS = 256;

/** Deepest nesting of a value: real lines stay under 10. Deeper ones make the line plain text. */
const MAX_DEPTH = 64;

function skipWhite(text: string, pos: number): number {
  let at = pos;
  while (isBlank(text.charCodeAt(at)) || text.charCodeAt(at) === 10 || text.charCodeAt(at) === 13) at++;
  return at;
}

/** Index after the number or word at `pos`, or `pos`. */
function scalarEnd(text: string, pos: number): number {
  let at = pos;
  for (;;) {
    const code = text.charCodeAt(at);
    const part =
      isDigit(code) ||
      (code >= 97 && code <= 122) ||
      code === 45 ||
      code === 43 ||
      code === 46 ||
      code === 69;
    if (!part) return at;
    at++;
  }
}

/** The object or array at `pos` without blanks between its parts, and the index after it; null if it never closes. */
function nestedAt(text: string, pos: number): { compact: string; end: number } | null {
  let out = '';
  let from = pos;
  let depth = 0;
  for (let at = pos; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const close = closingQuote(text, at);
      if (close < 0) return null;
      const inner = text.slice(at + 1, close);
      if (inner.indexOf('\\') >= 0) {
        out += text.slice(from, at) + JSON.stringify(decodeEscapes(inner));
        from = close + 1;
      }
      at = close;
    } else if (code === OPEN_CURLY || code === OPEN_SQUARE) {
      if (++depth > MAX_DEPTH) return null;
    } else if (code === 125 || code === 93) {
      if (--depth === 0) return { compact: out + text.slice(from, at + 1), end: at + 1 };
    } else if (code === BACKSLASH) {
      return null;
    } else if (isBlank(code) || code === 10 || code === 13) {
      out += text.slice(from, at);
      from = at + 1;
    }
  }
  return null;
}

function valueAt(text: string, pos: number): { value: JsonValue; end: number } | null {
  const code = text.charCodeAt(pos);
  if (code === QUOTE) {
    const close = closingQuote(text, pos);
    if (close < 0) return null;
    return { value: { kind: 'string', text: decodeEscapes(text.slice(pos + 1, close)) }, end: close + 1 };
  }
  if (code === OPEN_CURLY || code === OPEN_SQUARE) {
    const nested = nestedAt(text, pos);
    return nested && { value: { kind: 'nested', text: nested.compact }, end: nested.end };
  }
  const end = scalarEnd(text, pos);
  if (end === pos) return null;
  const kind = isDigit(code) || code === 45 ? 'number' : 'word';
  return { value: { kind, text: text.slice(pos, end) }, end };
}

/**
 * Reads the JSON object that starts at `pos` and fills the rest of the text. Unlike `JSON.parse` it keeps numbers as
 * they are printed, and it is lenient inside nested values, which are only copied. Null if it is no such object.
 */
export function readObject(text: string, pos: number): JsonMembers | null {
  if (text.charCodeAt(pos) !== OPEN_CURLY) return null;
  const members: JsonMembers = new Map();
  let at = skipWhite(text, pos + 1);
  if (text.charCodeAt(at) === 125) return skipWhite(text, at + 1) === text.length ? members : null;
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) return null;
    const close = closingQuote(text, at);
    if (close < 0) return null;
    const name = decodeEscapes(text.slice(at + 1, close));
    const colon = skipWhite(text, close + 1);
    if (text.charCodeAt(colon) !== 58) return null;
    const found = valueAt(text, skipWhite(text, colon + 1));
    if (found === null) return null;
    if (members.size < MAX_MEMBERS || members.has(name)) members.set(name, found.value);
    at = skipWhite(text, found.end);
    const mark = text.charCodeAt(at);
    if (mark === 125) return skipWhite(text, at + 1) === text.length ? members : null;
    if (mark !== 44) return null;
    at = skipWhite(text, at + 1);
  }
}
