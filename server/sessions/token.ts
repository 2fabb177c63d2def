import { createHash, randomBytes } from 'node:crypto';

/** A new session token: 256 bits from the system's random source, base64url, 43 characters (ASVS 7.2.3 asks for 128 bits). */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Whether a text can be a token at all: ours, or the UUID of an original app. What is not never reaches the store, so that
 * no text of a client can name another key. Characters of RFC 3986 section 2.3, at most 128.
 */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9._~-]{1,128}$/.test(text);
}

/** SHA-256 of a token in hex: its session's id. */
export function tokenId(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
