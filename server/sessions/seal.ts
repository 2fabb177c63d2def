import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Bytes of the IV and tag of AES-GCM: NIST SP 800-38D sections 8.2 and 5.2.1.2. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

export interface Sealer {
  /** Encrypts for whoever knows the secret and `context`, under the newest secret. */
  seal(text: string, context: string): string;
  /** Opens what any of the secrets sealed for the same context; null for everything else, tampered text included. */
  open(sealed: string, context: string): string | null;
  /** Keyed fingerprints of a text under each secret, newest first: base64url, 43 characters. */
  fingerprints(text: string): string[];
}

interface Key {
  id: string;
  sealing: Buffer;
  marking: Buffer;
}

/** HKDF-SHA256 (RFC 5869): separate keys for separate uses, and an id that says nothing about them. */
function deriveKey(secret: string): Key {
  const derive = (use: string, bytes: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, 'tailwire', `session ${use} ${VERSION}`, bytes));
  return {
    id: derive('key id', 6).toString('hex'),
    sealing: derive('sealing', 32),
    marking: derive('marking', 32),
  };
}

/**
 * AES-256-GCM under keys derived from `secrets`, newest first: the first seals, all open, so that a secret can be replaced
 * while sessions live. The context (a session's token) is authenticated along, so that sealed texts cannot be exchanged.
 * @throws Error where there is no secret
 */
export function createSealer(secrets: readonly string[]): Sealer {
  const keys = secrets.map(deriveKey);
  const [newest] = keys;
  if (newest === undefined || secrets.includes('')) throw new Error('sealing needs a secret');
  const seal = newest;

  return {
    seal(text, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', seal.sealing, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(context));
      const body = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${VERSION}.${seal.id}.${body.toString('base64url')}`;
    },
    open(sealed, context) {
      const [version, id, text, ...rest] = sealed.split('.');
      const key = keys.find((candidate) => candidate.id === id);
      if (version !== VERSION || key === undefined || text === undefined || rest.length > 0) return null;
      const body = Buffer.from(text, 'base64url');
      if (body.length < IV_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv('aes-256-gcm', key.sealing, body.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
      try {
        const open = decipher.update(body.subarray(IV_BYTES, body.length - TAG_BYTES));
        return Buffer.concat([open, decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
    },
    fingerprints: (text) =>
      keys.map((key) => createHmac('sha256', key.marking).update(text).digest('base64url')),
  };
}
