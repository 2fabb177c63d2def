import { createHash } from 'node:crypto';

/**
 * Journal cursors as journalctl writes them: `s=<seqnum id>;i=<seqnum>;b=<boot id>;m=<monotonic us>;t=<realtime us>;x=<hash>`,
 * all hexadecimal. sd_journal_seek_cursor(3) finds an entry by s and i, else by t; x tells entries apart.
 */
const CURSOR =
  /^s=([0-9a-f]{32});i=([0-9a-f]{1,16});b=([0-9a-f]{32});m=[0-9a-f]{1,16};t=([0-9a-f]{1,14});x=([0-9a-f]{1,16})$/;

/** A cursor of an unknown shape is carried as it is, as long as it could be one at all. */
const OPAQUE = /^[A-Za-z0-9=;:._-]{1,200}$/;
const OPAQUE_MARK = '~';

const SEMICOLON = 59;
const EQUALS = 61;
const ZERO = 48;
const LETTER_I = 105;
const LETTER_T = 116;
const LETTER_X = 120;

/** Bytes of tag (4), time (7) and hash (8) in a key; the rest is the seqnum without leading zeros. */
const FIXED_BYTES = 19;

/** What a key says about its entry. */
export type CursorKeyParts =
  | { kind: 'entry'; tag: number; i: bigint; t: bigint; x: bigint }
  | { kind: 'opaque'; cursor: string };

const tags = new Map<string, number>();
/** Journals remembered at once; a host has one. */
const TAGS_MAX = 1000;

/** The first 4 bytes of SHA-256 over a seqnum id: tells one journal from another without carrying its 16 bytes. */
export function journalTag(s: string): number {
  let tag = tags.get(s);
  if (tag === undefined) {
    tag = createHash('sha256').update(s).digest().readUInt32BE(0);
    if (tags.size >= TAGS_MAX) tags.clear();
    tags.set(s, tag);
  }
  return tag;
}

/** The seqnum id of a cursor; null for one of an unknown shape. */
export function journalOf(cursor: string): string | null {
  return CURSOR.exec(cursor)?.[1] ?? null;
}

/** The boot id of a cursor; null for one of an unknown shape. */
export function bootOf(cursor: string): string | null {
  return CURSOR.exec(cursor)?.[2] ?? null;
}

/** Values of hexadecimal digits by their codes, in lower case as journalctl writes them; -1 for what is none. */
const HEX = Int8Array.from({ length: 128 }, (_, code) =>
  /[0-9a-f]/.test(String.fromCharCode(code)) ? Number.parseInt(String.fromCharCode(code), 16) : -1,
);
const BASE64URL = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** Hexadecimal digits of a key: of the tag, the time, the hash, and the most that a seqnum has. */
const TAG_DIGITS = 8;
const TIME_DIGITS = 14;
const HASH_DIGITS = 16;
const SEQNUM_DIGITS = 16;
/** Room for the digits of one key and for its characters: made for every line, one after the other. */
const digits = new Uint8Array(TAG_DIGITS + TIME_DIGITS + HASH_DIGITS + SEQNUM_DIGITS);
const characters = Buffer.alloc(Math.ceil((digits.length * 4) / 6));

function hexAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (HEX[code] ?? -1) : -1;
}

/** Index behind the hexadecimal digits of `;NAME=` at `at`, one to `most` of them; -1 where there are none such. */
function fieldEnd(text: string, at: number, name: number, most: number): number {
  const from = at + 3;
  let end = from;
  while (hexAt(text, end) >= 0) end++;
  const named = text.charCodeAt(at + 1) === name && text.charCodeAt(at + 2) === EQUALS;
  return named && text.charCodeAt(at) === SEMICOLON && end > from && end - from <= most ? end : -1;
}

/** Puts hexadecimal digits in front of place `end`, and zeros from `start` to them. */
function putDigits(start: number, end: number, text: string, from: number, to: number): void {
  let place = end;
  for (let at = to - 1; at >= from; at--) digits[--place] = hexAt(text, at);
  while (place > start) digits[--place] = 0;
}

/** The first `count` digits, an even number, as base64url of the bytes that they are: three digits are two characters. */
function digitsAsBase64url(count: number): string {
  let length = 0;
  let at = 0;
  for (; at + 2 < count; at += 3) {
    const middle = digits[at + 1] ?? 0;
    characters[length++] = BASE64URL[((digits[at] ?? 0) << 2) | (middle >> 2)] ?? 0;
    characters[length++] = BASE64URL[((middle & 3) << 4) | (digits[at + 2] ?? 0)] ?? 0;
  }
  if (at < count) {
    const left = (digits[at] ?? 0) << 2;
    const last = at + 1 < count ? (digits[at + 1] ?? 0) : -1;
    characters[length++] = BASE64URL[last === -1 ? left : left | (last >> 2)] ?? 0;
    if (last !== -1) characters[length++] = BASE64URL[(last & 3) << 4] ?? 0;
  }
  return characters.toString('latin1', 0, length);
}

/** The journal that was looked at last and its tag as digits: most lines come from the same as the line before. */
let lastJournal = '';
let lastTagDigits = '';

/** The key of a cursor of the known shape; null for another. By hand, because it is made for every line. */
function entryKey(cursor: string): string | null {
  const s = 34;
  const same = lastJournal !== '' && cursor.startsWith(lastJournal, 2);
  // Known journals have been looked at; boot id and monotonic time are no part of the key.
  if (!cursor.startsWith('s=') || !(same || /^[0-9a-f]{32}$/.test(cursor.slice(2, s)))) return null;
  const i = fieldEnd(cursor, s, LETTER_I, SEQNUM_DIGITS);
  if (i === -1 || !cursor.startsWith(';b=', i) || !cursor.startsWith(';m=', i + 35)) return null;
  const t = cursor.indexOf(';t=', i + 39);
  if (t === -1 || t > i + 54) return null;
  const x = fieldEnd(cursor, t, LETTER_T, TIME_DIGITS);
  if (x === -1 || fieldEnd(cursor, x, LETTER_X, HASH_DIGITS) !== cursor.length) return null;
  if (!same) {
    lastJournal = cursor.slice(2, s);
    lastTagDigits = journalTag(lastJournal).toString(16).padStart(TAG_DIGITS, '0');
  }
  let seqnum = s + 3;
  while (seqnum < i && cursor.charCodeAt(seqnum) === ZERO) seqnum++;
  // Bytes are two digits.
  if ((i - seqnum) % 2 === 1) seqnum--;
  putDigits(0, TAG_DIGITS, lastTagDigits, 0, TAG_DIGITS);
  const time = TAG_DIGITS + TIME_DIGITS;
  putDigits(TAG_DIGITS, time, cursor, t + 3, x);
  putDigits(time, time + HASH_DIGITS, cursor, x + 3, cursor.length);
  const count = time + HASH_DIGITS + i - seqnum;
  // What stands in front of a seqnum of one digit is its `=`, which is no digit: a zero.
  putDigits(time + HASH_DIGITS, count, cursor, Math.max(seqnum, s + 3), i);
  return digitsAsBase64url(count);
}

/**
 * Names a journal entry in about 32 characters of base64url: journal tag, time, hash, seqnum. Equal keys are equal entries.
 * @returns null for a text that can be no cursor
 */
export function cursorKey(cursor: string): string | null {
  const key = entryKey(cursor);
  if (key !== null) return key;
  return OPAQUE.test(cursor) ? OPAQUE_MARK + Buffer.from(cursor).toString('base64url') : null;
}

/** Reads a key back. @returns null where it is none */
export function readCursorKey(key: string): CursorKeyParts | null {
  if (key.startsWith(OPAQUE_MARK)) {
    const cursor = Buffer.from(key.slice(1), 'base64url').toString('latin1');
    return OPAQUE.test(cursor) ? { kind: 'opaque', cursor } : null;
  }
  const bytes = Buffer.from(key, 'base64url');
  if (bytes.length < FIXED_BYTES || bytes.length > FIXED_BYTES + 8) return null;
  const hex = bytes.toString('hex');
  return {
    kind: 'entry',
    tag: bytes.readUInt32BE(0),
    t: BigInt(`0x${hex.slice(8, 22)}`),
    x: BigInt(`0x${hex.slice(22, 38)}`),
    i: BigInt(`0x${hex.slice(38) || '0'}`),
  };
}

/**
 * The cursor to seek an entry with. Where `journal` (a seqnum id) is the entry's own journal it points at exactly this
 * entry; otherwise the entry is sought by its time, and what is found has to be compared with the key.
 */
export function seekCursor(parts: CursorKeyParts, journal: string | null): string {
  if (parts.kind === 'opaque') return parts.cursor;
  const { i, t, x } = parts;
  const place =
    journal !== null && journalTag(journal) === parts.tag ? `s=${journal};i=${i.toString(16)};` : '';
  return `${place}t=${t.toString(16)};x=${x.toString(16)}`;
}
