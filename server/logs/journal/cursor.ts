import { createHash } from 'node:crypto';

/**
 * Journal cursors as journalctl writes them: `s=<seqnum id>;i=<seqnum>;b=<boot id>;m=<monotonic us>;t=<realtime us>;x=<hash>`,
 * all hexadecimal. sd_journal_seek_cursor(3) finds an entry by s and i, else by t; x tells entries apart.
 */
const CURSOR =
  /^s=([0-9a-f]{32});i=([0-9a-f]{1,16});b=[0-9a-f]{32};m=[0-9a-f]{1,16};t=([0-9a-f]{1,14});x=([0-9a-f]{1,16})$/;

/** A cursor of an unknown shape is carried as it is, as long as it could be one at all. */
const OPAQUE = /^[A-Za-z0-9=;:._-]{1,200}$/;
const OPAQUE_MARK = '~';

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

/**
 * Names a journal entry in about 32 characters of base64url: journal tag, time, hash, seqnum. Equal keys are equal entries.
 * @returns null for a text that can be no cursor
 */
export function cursorKey(cursor: string): string | null {
  const match = CURSOR.exec(cursor);
  if (!match) return OPAQUE.test(cursor) ? OPAQUE_MARK + Buffer.from(cursor).toString('base64url') : null;
  const [, s = '', i = '', t = '', x = ''] = match;
  const seqnum = i.replace(/^0+/, '');
  const tag = journalTag(s).toString(16).padStart(8, '0');
  const hex = tag + t.padStart(14, '0') + x.padStart(16, '0') + (seqnum.length % 2 ? `0${seqnum}` : seqnum);
  return Buffer.from(hex, 'hex').toString('base64url');
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
