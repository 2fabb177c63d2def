import { accessSync, constants, readFileSync } from 'node:fs';

/** A program or right that some tests need and not every machine has. */
export type Part =
  | 'redis-server'
  | 'redis-sentinel'
  | 'sshd'
  | 'lab'
  | 'faketime'
  | 'chromium'
  | 'nginx'
  | 'openssl';

/** Where Debian puts programs; sbin is not in everybody's PATH. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const PROGRAMS: Record<Part, readonly string[]> = {
  'redis-server': ['redis-server', 'redis-cli'],
  'redis-sentinel': ['redis-server', 'redis-cli'],
  sshd: ['sshd', 'ssh-keygen'],
  lab: ['systemd-nspawn', 'debootstrap', 'ip', 'nsenter', 'flock', 'ssh-keygen', 'perl'],
  faketime: ['faketime'],
  chromium: ['chromium'],
  nginx: ['nginx'],
  openssl: ['openssl'],
};

/** @returns the path of a program, or `null` */
export function findProgram(name: string): string | null {
  for (const folder of FOLDERS) {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** @returns what a part lacks on this machine, in words; `null` where it is there */
export function missingPart(part: Part): string | null {
  const missing = PROGRAMS[part].filter((name) => findProgram(name) === null);
  if (missing.length > 0) return `${part} needs ${missing.join(', ')}`;
  if (part === 'lab' && process.getuid?.() !== 0) return 'lab needs root';
  if (part === 'lab' && !mayMakeNamespaces()) return 'lab needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN';
  return null;
}

/** Whether root has its powers here; in most containers it has not. Bits 12 and 21 of CapEff: capabilities(7). */
function mayMakeNamespaces(): boolean {
  const word = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const needed = (1n << 12n) | (1n << 21n);
  return (BigInt(`0x${word}`) & needed) === needed;
}

/**
 * Skips the test or suite, with one line saying what is missing, where this machine lacks a part. With CI=true it fails instead.
 *
 * Call it first thing in a `before` hook or a test: `before(function () { requirePart(this, 'lab'); })`.
 */
export function requirePart(context: Mocha.Context, part: Part): void {
  const missing = missingPart(part);
  if (missing === null) return;
  if (process.env.CI === 'true') throw new Error(`Missing on this machine: ${missing}`);
  console.log(`      skipped: ${missing}`);
  context.skip();
}
