import { spawn } from 'node:child_process';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { AppError } from '../core/errors.ts';
import { type ParsedKey, parseKey } from './connection.ts';

/** Taking a passphrase off may take this long, in ms, of time and of CPU; ssh-keygen's default cost takes about 0.5 s. */
const UNLOCK_TIMEOUT_MS = 5_000;

/** Memory for it, in MiB. */
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
 * Costs whatever the file says; runs in `key-unlocker.ts`.
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

/**
 * Unlocks a key in a process of its own: bcrypt in JavaScript would hold up everything else for half a second, and a
 * hostile file can ask for hours, in native code too, which only a kill ends.
 */
function unlockOutside(text: string, passphrase: string, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    // The same file as source (tests, development) and as build result.
    const name = import.meta.url.endsWith('.ts') ? './key-unlocker.ts' : './key-unlocker.js';
    const file = fileURLToPath(new URL(name, import.meta.url));
    const options = [
      ...process.execArgv.filter((each) => !each.startsWith('--inspect')),
      `--max-old-space-size=${UNLOCK_MEMORY_MB}`,
    ];
    // The limit of the kernel also holds when this process has been killed meanwhile.
    const limited = `ulimit -t ${Math.ceil(UNLOCK_TIMEOUT_MS / 1000)} && exec "$0" "$@"`;
    const child = spawn('/bin/sh', ['-c', limited, process.execPath, ...options, file], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // None of our secrets concern it.
      env: {},
    });
    let settle = () => reject(new Error('the key takes too long to unlock'));
    const timer = setTimeout(() => child.kill('SIGKILL'), UNLOCK_TIMEOUT_MS);
    function abort(): void {
      settle = () => reject(new AppError('ssh_closed', { cause: 'aborted' }));
      child.kill('SIGKILL');
    }
    signal?.addEventListener('abort', abort, { once: true });
    child.on('message', (result: UnlockResult) => {
      settle = () => ('key' in result ? resolve(result.key) : reject(new Error(result.error)));
    });
    child.on('error', (error) => {
      settle = () => reject(new AppError('internal', { cause: error }));
      if (child.pid === undefined) end();
    });
    // Its core is free again only now.
    child.on('close', (code) => {
      if (code !== null && code !== 0)
        settle = () => reject(new AppError('internal', { cause: `key unlocker: ${code}` }));
      end();
    });
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    }
    child.send({ text, passphrase }, () => {});
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
      return await unlockOutside(text, passphrase, signal);
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
