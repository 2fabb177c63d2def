// Programs the tests use beside Node, and the Debian packages that hold them. Plain JavaScript without dependencies:
// it runs before anything else is there.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** @typedef {{ package: string, programs: string[], why: string, service?: string }} Part */

/** @type {readonly Part[]} */
export const PARTS = [
  {
    package: 'redis-server',
    programs: ['redis-server', 'redis-cli'],
    why: 'session store and cluster tests',
    service: 'redis-server',
  },
  {
    package: 'redis-sentinel',
    programs: ['redis-sentinel'],
    why: 'fail-over tests',
    service: 'redis-sentinel',
  },
  { package: 'openssh-server', programs: ['sshd', 'ssh-keygen'], why: 'SSH tests', service: 'ssh' },
  { package: 'systemd-container', programs: ['systemd-nspawn'], why: 'lab hosts' },
  { package: 'debootstrap', programs: ['debootstrap'], why: 'lab hosts' },
  { package: 'iproute2', programs: ['ip', 'tc'], why: 'the network of lab hosts' },
  { package: 'faketime', programs: ['faketime'], why: 'clocks that are set' },
  { package: 'chromium', programs: ['chromium'], why: 'browser tests' },
];

/** Debian puts programs of administration where not everybody's PATH leads. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Decides whether packages may start their services: invoke-rc.d(8). */
const POLICY = '/usr/sbin/policy-rc.d';
const POLICY_TEXT =
  '#!/bin/sh\n# Written by Tailwire while it installs test programs; removed afterwards.\nexit 101\n';

/** A slow mirror is still bounded: 10 minutes, in ms. */
const APT_TIMEOUT = 10 * 60_000;

/**
 * Installs what is missing, where this is a Debian machine and we are root; starts no service, and leaves none enabled
 * that was not there before. Asks the mirror for news only where something is missing.
 *
 * @param {Partial<typeof machine>} [overrides] replaces parts of the machine, for tests
 * @returns {string[]} the packages that are still missing afterwards; each has had a line printed
 */
export function ensureParts(overrides = {}) {
  const { has, run, isRoot, isDebian, log, withoutServices } = { ...machine, ...overrides };
  const lacking = () => PARTS.filter((part) => !part.programs.every(has));
  const missing = lacking();
  if (missing.length === 0) return [];
  if (!isDebian() || !isRoot()) {
    const why = isDebian() ? 'only root can install it' : 'this is no Debian machine';
    for (const part of missing)
      log(`${part.package} is missing (${part.why}): ${why}, its tests are skipped`);
    return missing.map((part) => part.package);
  }
  for (const part of missing) log(`Installing ${part.package} (${part.why})`);
  const update = run('apt-get', ['update', '-qq']);
  if (update !== null) log(`apt-get update failed: ${update}`);
  withoutServices(() => {
    for (const part of missing) {
      const failure = run('apt-get', [
        'install',
        '-y',
        '-qq',
        '--no-install-recommends',
        '-o',
        'DPkg::Lock::Timeout=120',
        part.package,
      ]);
      if (failure !== null) log(`${part.package} could not be installed: ${failure}`);
      else if (part.service) run('systemctl', ['disable', part.service]);
    }
  });
  return lacking().map((part) => part.package);
}

const machine = {
  /** @param {string} program */
  has(program) {
    return FOLDERS.some((folder) => {
      try {
        accessSync(`${folder}/${program}`, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  },
  /**
   * @param {string} program
   * @param {string[]} args
   * @returns {string | null} what went wrong, in one line
   */
  run(program, args) {
    const result = spawnSync(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      timeout: APT_TIMEOUT,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (result.status === 0) return null;
    return result.error?.message ?? result.stderr.trim().split('\n').at(-1) ?? `exit ${result.status}`;
  },
  isRoot: () => process.getuid?.() === 0,
  isDebian: () => existsSync('/usr/bin/apt-get'),
  /** @param {string} line */
  log: (line) => console.log(line),
  /**
   * Holds back the services of what is installed meanwhile. A policy the machine has already is left to decide.
   * @param {() => void} work
   */
  withoutServices(work) {
    const isOurs = () => existsSync(POLICY) && readFileSync(POLICY, 'utf8') === POLICY_TEXT;
    if (!existsSync(POLICY)) writeFileSync(POLICY, POLICY_TEXT, { mode: 0o755 });
    try {
      work();
    } finally {
      if (isOurs()) rmSync(POLICY);
    }
  },
};
