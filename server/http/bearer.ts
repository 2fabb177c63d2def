import { createHash, timingSafeEqual } from 'node:crypto';

/** The token of `Authorization: Bearer TOKEN` (RFC 6750 section 2.1); null without one. */
export function bearerToken(header: string | undefined): string | null {
  const [scheme = '', ...rest] = (header ?? '').split(' ');
  const token = rest.join(' ').trim();
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : null;
}

/** Compares digests, so that neither length nor content of the secret shows in the time it takes. */
export function isSecret(given: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** Longest `Authorization` that is looked at, in characters. */
const BASIC_MAX = 4096;

/** User name and password of `Authorization: Basic ...` (RFC 7617 section 2, UTF-8); null without them. */
export function basicCredentials(header: string | undefined): { username: string; password: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec((header ?? '').slice(0, BASIC_MAX))?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
