import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { run } from './run.ts';

export interface KeyPair {
  private: string;
  public: string;
  /** `SHA256:` and unpadded base64, as `ssh-keygen -lf` prints it. */
  fingerprint: string;
}

/** Makes an ed25519 key pair at `path` and `path`.pub. */
export async function makeKeyPair(path: string, comment: string): Promise<KeyPair> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
  const [privateKey, publicKey] = await Promise.all([
    readFile(path, 'utf8'),
    readFile(`${path}.pub`, 'utf8'),
  ]);
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  const digest = createHash('sha256').update(blob).digest('base64').replaceAll('=', '');
  return { private: privateKey, public: publicKey, fingerprint: `SHA256:${digest}` };
}
