import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_DIR } from './paths.ts';

/**
 * Runs `work` while no other process of this machine holds the lock of that name.
 *
 * The kernel keeps the lock (flock(2), through util-linux' flock): it is free again when this process ends in whatever way.
 */
export async function withLock<T>(name: string, work: () => Promise<T>, timeoutSeconds = 900): Promise<T> {
  mkdirSync(CACHE_DIR, { recursive: true });
  const path = join(CACHE_DIR, `${name}.lock`);
  const holder = spawn('flock', ['--timeout', String(timeoutSeconds), path, 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => holder.on('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.on('error', (error) => reject(new Error(`Cannot run flock: ${error.message}`)));
    holder.on('close', () => reject(new Error(`The lock ${path} stayed taken for ${timeoutSeconds} s`)));
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
