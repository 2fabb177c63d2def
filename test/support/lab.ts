import type { UserName } from '../../scripts/lab/accounts.ts';
import type { LabHost } from '../../scripts/lab/host.ts';
import { createLab, type Lab } from '../../scripts/lab/lab.ts';
import { watchOver } from '../../scripts/lab/watchdog.ts';
import { atEnd } from './at-end.ts';

export type { JournalRecord } from '../../scripts/lab/journal.ts';
export { messageOf } from '../../scripts/lab/journal.ts';

/** A host with what a client needs to log in to it. */
export interface TestHost extends LabHost {
  readonly users: Readonly<Record<UserName, { username: string; password: string }>>;
  /** Accepted by every account; OpenSSH format, no passphrase. */
  readonly privateKey: string;
  readonly privateKeyPath: string;
}

export interface TestLab {
  readonly hosts: readonly [TestHost, ...TestHost[]];
  /** CIDR of all hosts, for the allow-list of a gateway under test. */
  readonly subnet: string;
  /** Undoes what a test may have left: cut wires, background lines, stopped, masked or failed units. The hosts stay up for the next file, which gets their journals empty. */
  release(): Promise<void>;
}

/** The first lab of a machine builds its root tree: about a minute on a fast line. */
export const LAB_TIMEOUT_MS = 10 * 60_000;

const UNITS = ['execution', 'consensus', 'validator'];

/** The lab of this process: hosts are costly enough to be shared by all test files of a run. */
let shared: Promise<Lab> | undefined;

/**
 * Gives the run's lab with at least so many hosts, booting what is missing. The root hook takes it down after the last file;
 * a watchdog does where the run is killed.
 *
 * Call it in a `before` hook with `this.timeout(LAB_TIMEOUT_MS)`, after `requirePart(this, 'lab')`.
 */
export async function useLab({ hosts = 1 }: { hosts?: number } = {}): Promise<TestLab> {
  const isFirst = shared === undefined;
  shared ??= start();
  const lab = await shared;
  await lab.grow(hosts);
  const [first, ...others] = lab.hosts.slice(0, hosts).map((host) => withLogins(host, lab));
  if (!first) throw new Error('A lab has at least one host');
  const given = [first, ...others] as const;
  await Promise.all(given.map(reset));
  if (!isFirst) await Promise.all(given.map(forget));
  return {
    hosts: [first, ...others],
    subnet: lab.subnet,
    async release() {
      await Promise.all(given.map(reset));
    },
  };
}

async function start(): Promise<Lab> {
  const lab = await createLab({
    hosts: 0,
    background: false,
    owned: true,
    log: (line) => console.log(`      ${line}`),
  });
  const stopWatching = watchOver(lab.slot);
  atEnd(async () => {
    shared = undefined;
    await lab.down();
    stopWatching();
  });
  return lab;
}

function withLogins(host: LabHost, lab: Lab): TestHost {
  const users = Object.fromEntries(
    Object.entries(lab.passwords).map(([username, password]) => [username, { username, password }]),
  ) as TestHost['users'];
  // Created on top of the host, not copied from it: its fingerprint is a getter.
  return Object.assign(Object.create(host) as LabHost, {
    users,
    privateKey: lab.privateKey,
    privateKeyPath: lab.privateKeyPath,
  });
}

async function reset(host: TestHost): Promise<void> {
  await host.restoreNetwork();
  await host.limitRate(null);
  await host.setBackground(false);
  await host.exec(['systemctl', 'unmask', '--runtime', ...UNITS]);
  await host.exec(['systemctl', 'reset-failed', ...UNITS], { allowFailure: true });
  await host.exec(['systemctl', 'start', 'ssh', ...UNITS]);
}

/** A journal as of a host that has just started: a long one makes every look at it long. */
async function forget(host: TestHost): Promise<void> {
  await host.vacuum();
  await host.exec(['systemctl', 'restart', ...UNITS]);
}
