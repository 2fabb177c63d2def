import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import { cursorKey, readCursorKey } from './journal/cursor.ts';

/** Bytes of the tag that binds a position to its stream; 8 characters of base64url. */
const MAC_BYTES = 6;
const MAC_CHARS = 8;

export interface PositionCodec {
  /** The opaque id of an entry of a stream, from its journal cursor. */
  encode(cursor: string): string;
  /**
   * The key of the entry that a client's id names.
   * @throws AppError invalid_position for an id that this stream (host, user and unit) did not hand out
   */
  decode(id: string): string;
}

/**
 * Positions of one stream. An id is a truncated HMAC-SHA256 over stream name and entry key, followed by the key: a forged,
 * cut or foreign id is refused before anything is read. Forging one would only name another line of a stream that the
 * session may read anyway, so 48 bits suffice.
 *
 * @param secrets newest first; ids are made with the first and accepted from any
 */
export function createPositionCodec(secrets: readonly string[], stream: string): PositionCodec {
  const mac = (secret: string, key: string) =>
    createHmac('sha256', secret).update(`position\0${stream}\0${key}`).digest().subarray(0, MAC_BYTES);
  const [newest = ''] = secrets;

  return {
    encode(cursor) {
      const key = cursorKey(cursor);
      // journalctl never writes such a cursor; without a key the entry could not be resumed from.
      if (key === null) throw new AppError('log_stream_failed', { detail: 'unreadable journal cursor' });
      return mac(newest, key).toString('base64url') + key;
    },
    decode(id) {
      const key = id.slice(MAC_CHARS);
      const given = Buffer.from(id.slice(0, MAC_CHARS), 'base64url');
      const known =
        given.length === MAC_BYTES && secrets.some((secret) => timingSafeEqual(mac(secret, key), given));
      if (!known || readCursorKey(key) === null) throw new AppError('invalid_position');
      return key;
    },
  };
}
