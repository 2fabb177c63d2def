import { createPrivateKey, type KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { AppError } from '../core/errors.ts';
import { type ParsedKey, parseKey } from './connection.ts';

/** Taking a passphrase off may take this long, in ms; ssh-keygen's default cost takes about 0.5 s. */
const UNLOCK_TIMEOUT_MS = 5_000;

/** Memory for it, in MiB; scrypt and the like can be told to use any amount. */
const UNLOCK_MEMORY_MB = 64;

/** Keys being unlocked at once: each keeps a core busy. */
const MAX_UNLOCKING = 2;

/** Keys waiting for that; more are refused with ssh_busy. */
const MAX_WAITING = 32;

/** Larger than any key file: RSA of 16384 bits takes 13 kB. */
const MAX_KEY_BYTES = 64 * 1024;

function sshString(...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Writes an Ed25519 key in OpenSSH's own format, the only one in which ssh2 reads it (openssh: PROTOCOL.key). */
function openSshEd25519(key: KeyObject): string {
  const { d, x } = key.export({ format: 'jwk' });
  if (d === undefined || x === undefined) throw new Error('not a private Ed25519 key');
  const point = Buffer.from(x, 'base64url');
  const publicBlob = Buffer.concat([sshString('ssh-ed25519'), sshString(point)]);
  const check = Buffer.alloc(8);
  const pair = sshString(Buffer.from(d, 'base64url'), point);
  let secret = Buffer.concat([check, publicBlob, pair, sshString('')]);
  const padding = (8 - (secret.length % 8)) % 8;
  secret = Buffer.concat([secret, Buffer.from(Array.from({ length: padding }, (_, index) => index + 1))]);
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    Buffer.from([0, 0, 0, 1]),
    sshString(publicBlob),
    sshString(secret),
  ]);
  const lines = file.toString('base64').replace(/.{70}/g, '$&\n');
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** Writes a key without passphrase in a format that ssh2 reads. */
function portable(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ format: 'pem', type: 'pkcs1' }).toString();
    case 'ec':
      return key.export({ format: 'pem', type: 'sec1' }).toString();
    case 'ed25519':
      return openSshEd25519(key);
    default:
      throw new Error(`keys of type ${key.asymmetricKeyType} are not supported`);
  }
}

/**
 * Takes the passphrase off a private key: OpenSSH, PKCS#1, SEC1, PuTTY 2 or PKCS#8.
 * Costs whatever the file says; runs in `key-worker.ts`.
 * @throws Error where the text is no such key or the passphrase is wrong
 */
export function unlockKey(text: string, passphrase: string | undefined): string {
  if (/^-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text.trim())) {
    return portable(createPrivateKey({ key: text.trim(), ...(passphrase ? { passphrase } : {}) }));
  }
  const key = parseKey(text, passphrase);
  if (key instanceof Error) throw key;
  return portable(createPrivateKey(key.getPrivatePEM()));
}

export type UnlockResult = { key: string } | { error: string };

function unlockInWorker(text: string, passphrase: string, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    // The same file as source (tests, development) and as build result.
    const file = import.meta.url.endsWith('.ts') ? './key-worker.ts' : './key-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: { text, passphrase },
      resourceLimits: { maxOldGenerationSizeMb: UNLOCK_MEMORY_MB },
      // Nothing of it may reach our own output.
      stdout: true,
      stderr: true,
    });
    const timer = setTimeout(
      () => finish(() => reject(new Error('the key takes too long to unlock'))),
      UNLOCK_TIMEOUT_MS,
    );
    const abort = () => finish(() => reject(new AppError('ssh_closed', { cause: 'aborted' })));
    signal?.addEventListener('abort', abort, { once: true });
    function finish(settle: () => void): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      // The core is free again only when the thread has ended.
      void worker.terminate().then(settle, settle);
    }
    worker.on('message', (result: UnlockResult) => {
      finish(() => ('key' in result ? resolve(result.key) : reject(new Error(result.error))));
    });
    worker.on('error', (error) => finish(() => reject(error)));
    worker.on('exit', () => finish(() => reject(new Error('the key could not be unlocked'))));
  });
}

/** Says what the user can do about a key that cannot be used. */
function hint(text: string, passphrase: string | undefined, message: string): string {
  if (/no passphrase given/i.test(message) || (!passphrase && /^-----BEGIN ENCRYPTED/.test(text.trim()))) {
    return 'it has a passphrase, which is missing';
  }
  if (/passphrase|bad decrypt/i.test(message)) return 'the passphrase is wrong';
  if (/public key/i.test(message)) return 'this is the public key; paste the private one';
  if (/too long to unlock|memory/i.test(message)) return 'its passphrase protection is too costly';
  if (/^PuTTY-User-Key-File-3/.test(text.trim())) return 'PuTTY 3 format; export it as an OpenSSH key';
  return 'the format is not known; ssh-keygen -p -f FILE converts it';
}

/** Reads users' private keys without letting a costly one stop the process. */
export interface KeyReader {
  /** @throws AppError invalid_key with a detail for the user, ssh_busy, ssh_closed where the signal aborted */
  read(text: string, passphrase?: string, signal?: AbortSignal): Promise<ParsedKey>;
}

export function createKeyReader(): KeyReader {
  let unlocking = 0;
  const waiting: (() => void)[] = [];

  async function unlock(text: string, passphrase: string, signal: AbortSignal | undefined): Promise<string> {
    if (unlocking >= MAX_UNLOCKING) {
      if (waiting.length >= MAX_WAITING) throw new AppError('ssh_busy', { cause: 'too many keys to unlock' });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      unlocking += 1;
    }
    try {
      if (signal?.aborted) throw new AppError('ssh_closed', { cause: 'aborted' });
      return await unlockInWorker(text, passphrase, signal);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else unlocking -= 1;
    }
  }

  return {
    async read(text, passphrase, signal) {
      try {
        if (Buffer.byteLength(text) > MAX_KEY_BYTES) throw new Error('too large');
        // Without a passphrase nothing costly can happen.
        const plain = passphrase ? await unlock(text, passphrase, signal) : text;
        const pkcs8 = /^-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(plain.trim());
        const key = parseKey(pkcs8 ? unlockKey(plain, undefined) : plain);
        if (key instanceof Error) throw key;
        return key;
      } catch (error) {
        if (error instanceof AppError) throw error;
        const message = error instanceof Error ? error.message : String(error);
        throw new AppError('invalid_key', { detail: hint(text, passphrase, message), cause: error });
      }
    },
  };
}
