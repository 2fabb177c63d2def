import { readdirSync } from 'node:fs';
import { AppError, toAppError } from '../../server/core/errors.ts';
import type { Logger } from '../../server/core/types.ts';
import type { SshLimits } from '../../server/ssh/limits.ts';
import { createSshPool } from '../../server/ssh/pool.ts';
import { createTargetPolicy } from '../../server/ssh/target-policy.ts';
import type { Credential, HostKey, HostKeyPolicy, SshPool, SshTarget } from '../../server/ssh/types.ts';
import { SSHD_PASSWORD, SSHD_USER } from './sshd.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** Pins in memory: the first key of a host counts, or the expected one. `seen` tells what was asked. */
export function memoryHostKeys(): HostKeyPolicy & {
  seen: HostKey[];
  pin(port: number, fingerprint: string): void;
} {
  const pins = new Map<number, string>();
  const seen: HostKey[] = [];
  return {
    seen,
    pin: (port, fingerprint) => void pins.set(port, fingerprint),
    async check(at, key, expected) {
      seen.push(key);
      const pinned = expected ?? pins.get(at.port) ?? key.fingerprint;
      if (pinned !== key.fingerprint) throw new AppError('host_key_changed');
      pins.set(at.port, pinned);
      return { firstSeen: '2026-01-01T00:00:00.000Z', pinned: true };
    },
  };
}

export interface TestPoolOptions {
  limits?: Partial<SshLimits>;
  hostKeys?: HostKeyPolicy;
  allowed?: readonly string[];
}

/** A pool that may reach loopback. */
export function testPool(options: TestPoolOptions = {}): SshPool {
  return createSshPool({
    logger: silent,
    hostKeys: options.hostKeys ?? memoryHostKeys(),
    targets: createTargetPolicy({ allowed: options.allowed ?? ['127.0.0.1'] }),
    ...(options.limits ? { limits: options.limits } : {}),
  });
}

/** The test user of a host on loopback, by password where nothing else is given. */
export function targetOf(at: { port: number }, credential?: Credential): SshTarget {
  return {
    host: '127.0.0.1',
    port: at.port,
    username: SSHD_USER,
    credential: credential ?? { method: 'password', password: SSHD_PASSWORD },
  };
}

/** The code of the AppError a promise fails with; fails itself where it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) throw new Error('it did not fail');
  return toAppError(error).code;
}

/** Open file descriptors of this process. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}
