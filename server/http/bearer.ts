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
