import {
  BACKSLASH,
  COLON,
  COMMA,
  EQUALS,
  isBlank,
  isDigit,
  isWord,
  QUOTE,
  skipBlanks,
  wordEnd,
} from './chars.ts';
import { closingQuote, decodeEscapes, plainValue } from './fields.ts';

/** Longest key, in characters: real ones stay under 50. */
const KEY_MAX = 96;

/** Characters that no key holds: they mark prose, calls, URLs and nested values. */
const NOT_IN_KEY = '="\'()[]{}:;?!`\\';

/** 1 for each ASCII code that may stand in a key. Commas do: geth prints numbers as keys, too. */
const IN_KEY = Uint8Array.from({ length: 128 }, (_, code) =>
  code > 32 && code < 127 && !NOT_IN_KEY.includes(String.fromCharCode(code)) ? 1 : 0,
);

/** True if a key may start at `pos`: not with a dash, as a flag would (`--http.port=80`), but for negative numbers. */
function startsKey(text: string, pos: number): boolean {
  const first = text.charCodeAt(pos);
  if (isWord(first) || first > 127 || first === 60) return true;
  return first === 45 && isDigit(text.charCodeAt(pos + 1));
}

/** Index of the `=` of a `key=` that starts at `pos`, or -1. */
export function keyEnd(text: string, pos: number): number {
  if (!startsKey(text, pos)) return -1;
  const limit = Math.min(text.length, pos + KEY_MAX + 1);
  for (let at = pos + 1; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === EQUALS) return text.charCodeAt(at + 1) === EQUALS ? -1 : at;
    if (code < 128 && IN_KEY[code] === 0) return -1;
  }
  return -1;
}

/** The same for pairs whose key may be quoted, as geth does with keys that hold blanks. */
function pairKeyEnd(text: string, pos: number): number {
  if (text.charCodeAt(pos) !== QUOTE) return keyEnd(text, pos);
  const limit = Math.min(text.length, pos + KEY_MAX + 1);
  for (let at = pos + 1; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return text.charCodeAt(at + 1) === EQUALS ? at + 1 : -1;
  }
  return -1;
}

/** Index of the first word at or after `pos` that is a `key=`, or the end of the text. `pos` must be at a word's start. */
export function firstKey(text: string, pos: number): number {
  let at = skipBlanks(text, pos);
  while (at < text.length) {
    if (pairKeyEnd(text, at) >= 0) return at;
    at = skipBlanks(text, wordEnd(text, at));
  }
  return text.length;
}

/** Index at which the unquoted value at `start` ends: at a blank outside brackets, `limit` at the latest. */
function bareEnd(text: string, start: number, limit: number): number {
  let depth = 0;
  for (let at = start; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (isBlank(code) && depth <= 0) return at;
    if (code === 40 || code === 91 || code === 123) depth++;
    else if (code === 41 || code === 93 || code === 125) depth--;
  }
  return depth > 0 ? Math.min(wordEnd(text, start), limit) : limit;
}

/** True if a value may end with the quote at `close`: the line ends there, or the next word is a `key=`. */
function endsValue(text: string, close: number): boolean {
  const next = skipBlanks(text, close + 1);
  return next >= text.length || (next > close + 1 && pairKeyEnd(text, next) >= 0);
}

/**
 * Reads `key=value key="quoted value"` from `pos` on. A value without quotes ends at the first blank outside brackets
 * (but `msg`, which runs to the next key); what stands between it and the next key is no field. A quoted value ends at
 * the first quote with a key or nothing behind it, since prysm leaves quotes inside of values as they are; one that
 * never closes (cut by a pager) runs to the end. Words before the first key are passed over.
 */
export function readPairs(text: string, pos: number, onPair: (key: string, value: string) => void): void {
  let at = firstKey(text, pos);
  let equals = pairKeyEnd(text, at);
  // Once no quote ahead ends a value in front of a key, none further on does either.
  let strict = true;
  while (at < text.length) {
    const written = text.slice(at, equals);
    const key = text.charCodeAt(at) === QUOTE ? plainValue(written) : written;
    const start = equals + 1;
    if (text.charCodeAt(start) !== QUOTE) {
      const word = wordEnd(text, start);
      let next = skipBlanks(text, word);
      equals = next < text.length ? pairKeyEnd(text, next) : -1;
      let end = word;
      // Most values are one word with a key behind it, and are looked at once.
      if (next < text.length && equals < 0) {
        next = firstKey(text, wordEnd(text, next));
        equals = pairKeyEnd(text, next);
        end = key === 'msg' ? next : bareEnd(text, start, next);
      }
      onPair(key, end === word ? text.slice(start, end) : text.slice(start, end).trim());
      at = next;
      continue;
    }
    const first = closingQuote(text, start);
    let close = first;
    while (strict && close >= 0 && !endsValue(text, close)) close = closingQuote(text, close);
    if (close < 0) {
      strict = false;
      close = first;
    }
    onPair(key, decodeEscapes(text.slice(start + 1, close < 0 ? text.length : close)));
    at = close < 0 ? text.length : firstKey(text, wordEnd(text, close + 1));
    equals = pairKeyEnd(text, at);
  }
}

/** Where a field starts: `at` the separator in front of it, `key` its key, `value` its value. */
export interface FieldStart {
  at: number;
  key: number;
  value: number;
}

/** Most field starts looked at in one line, before those inside brackets are dropped. */
const MAX_STARTS = 4096;

/** Deepest nesting of brackets followed; deeper ones are read as prose. */
const MAX_OPEN = 256;

const CLOSER_OF: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

/**
 * The field starts of `text` from `from` on that stand outside brackets and double quotes, in one pass.
 * `startAt(i)` tells whether a field starts at the separator `i`. A bracket or quote that never closes shields nothing.
 */
export function fieldStarts(
  text: string,
  from: number,
  startAt: (text: string, at: number) => FieldStart | null,
): FieldStart[] {
  const starts: FieldStart[] = [];
  // One item per open bracket: its closer, and how many starts were known when it opened.
  const open: { closer: string; known: number }[] = [];
  let quotesClose = true;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      if (!quotesClose || isWord(text.charCodeAt(at - 1))) continue;
      const close = closingQuote(text, at);
      if (close < 0) quotesClose = false;
      else at = close;
    } else if (isBlank(code) || code === COMMA) {
      const start = startAt(text, at);
      if (start !== null && starts.length < MAX_STARTS) {
        starts.push(start);
        at = start.value - 1;
      }
    } else if (code === BACKSLASH) {
      at++;
    } else if (code === 40 || code === 91 || code === 123) {
      if (open.length < MAX_OPEN)
        open.push({ closer: CLOSER_OF[text.charAt(at)] ?? '', known: starts.length });
    } else if (code === 41 || code === 93 || code === 125) {
      // Only the innermost bracket counts: a stray closer of another kind is prose.
      const innermost = open.at(-1);
      if (innermost?.closer === text.charAt(at)) {
        starts.length = innermost.known;
        open.pop();
      }
    }
  }
  return starts;
}

/** A field start of the form ` key=value`. */
export function spacedKey(text: string, at: number): FieldStart | null {
  if (!isBlank(text.charCodeAt(at))) return null;
  const equals = keyEnd(text, at + 1);
  return equals < 0 ? null : { at, key: at + 1, value: equals + 1 };
}

/** Index of the `:` of a `key: ` (or `key:` at the end) that starts at `pos`, or -1. */
export function colonKeyEnd(text: string, pos: number): number {
  const limit = Math.min(text.length, pos + KEY_MAX + 1);
  let at = pos;
  while (
    at < limit &&
    (isWord(text.charCodeAt(at)) || text.charCodeAt(at) === 46 || text.charCodeAt(at) === 45)
  )
    at++;
  if (at === pos || text.charCodeAt(at) !== COLON) return -1;
  return at + 1 >= text.length || isBlank(text.charCodeAt(at + 1)) ? at : -1;
}

/** A field start of the form `, key: value`. */
export function commaKey(text: string, at: number): FieldStart | null {
  if (text.charCodeAt(at) !== COMMA || text.charCodeAt(at + 1) !== 32) return null;
  const colon = colonKeyEnd(text, at + 2);
  return colon < 0 ? null : { at, key: at + 2, value: colon + 1 };
}
