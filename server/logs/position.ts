import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import { type SipKey, sipHash, sipKey } from '../core/siphash.ts';
import { cursorKey, readCursorKey } from './journal/cursor.ts';

/** Characters of the tag that binds a position to its stream: 48 bits as base64url. */
const TAG_CHARS = 8;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** What a key is made of. */
const KEY = /^[A-Za-z0-9_~-]{1,300}$/;

export interface PositionCodec {
  /** The opaque id of an entry of a stream, from its journal cursor. */
  encode(cursor: string): string;
  /**
   * The key of the entry that a client's id names.
   * @throws AppError invalid_position for an id that this stream (host, user and unit) did not hand out
   */
  decode(id: string): string;
}

/** The first 48 bits of the key's keyed hash. */
function tagOf(sip: SipKey, key: string): string {
  let [bits, rest] = sipHash(sip, key);
  let tag = '';
  for (let n = 0; n < TAG_CHARS; n++) {
    tag += ALPHABET[bits & 63];
    bits = (bits >>> 6) | (rest << 26);
    rest >>>= 6;
  }
  return tag;
}

/**
 * Positions of one stream. An id is a short keyed hash of the entry's key, under a key made of secret and stream name,
 * followed by the entry's key: a forged, cut or foreign id is refused before anything is read. Forging one would only name
 * another line of a stream that the session may read anyway, so 48 bits suffice.
 *
 * @param secrets newest first; ids are made with the first and accepted from any
 */
export function createPositionCodec(secrets: readonly string[], stream: string): PositionCodec {
  const keys = secrets.map((secret) =>
    sipKey(createHmac('sha256', secret).update(`position\0${stream}`).digest()),
  );
  const [newest = sipKey(Buffer.alloc(16))] = keys;

  return {
    encode(cursor) {
      const key = cursorKey(cursor);
      // journalctl never writes such a cursor; without a key the entry could not be resumed from.
      if (key === null) throw new AppError('log_stream_failed', { detail: 'unreadable journal cursor' });
      return tagOf(newest, key) + key;
    },
    decode(id) {
      const key = id.slice(TAG_CHARS);
      const given = Buffer.from(id.slice(0, TAG_CHARS));
      const known =
        KEY.test(key) &&
        given.length === TAG_CHARS &&
        keys.some((sip) => timingSafeEqual(Buffer.from(tagOf(sip, key)), given));
      if (!known || readCursorKey(key) === null) throw new AppError('invalid_position');
      return key;
    },
  };
}
