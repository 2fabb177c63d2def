import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makePasswords, type Passwords } from './accounts.ts';
import { bootHost, destroyHost, type LabHost } from './host.ts';
import { makeKeyPair } from './keys.ts';
import { withLock } from './lock.ts';
import {
  addBlackhole,
  hostNetwork,
  MAX_HOSTS,
  MAX_SLOT,
  namespaceProcesses,
  removeBlackhole,
  removeHostNetwork,
  slotNetworks,
  subnetTaken,
} from './network.ts';
import { STATE_DIR } from './paths.ts';
import { bootId, identify, signal } from './process.ts';
import { ensureRootfs } from './rootfs.ts';
import { run } from './run.ts';
import {
  claimSlot,
  isLeftOver,
  type LabRecord,
  labFolder,
  labStorage,
  readRecord,
  usedSlots,
  writeRecord,
} from './state.ts';
import { waitFor } from './wait.ts';

export interface LabOptions {
  hosts: number;
  /** Units print lines at a human pace. */
  background: boolean;
  /** Whether the lab ends with this process; otherwise it stays up until it is taken down by hand. */
  owned: boolean;
  log: (line: string) => void;
}

/** Some hosts of one's own, reachable from this machine only. */
export interface Lab {
  readonly slot: number;
  /** The CIDR all of its hosts are in. */
  readonly subnet: string;
  readonly hosts: readonly LabHost[];
  readonly passwords: Passwords;
  /** Accepted by every account of every host; OpenSSH format, without a passphrase. */
  readonly privateKey: string;
  readonly privateKeyPath: string;
  /** Boots further hosts until there are `count`. */
  grow(count: number): Promise<void>;
  /** Ends and removes everything; repeated calls share one promise. */
  down(): Promise<void>;
}

/** Brings a lab up beside whatever labs this machine has. Takes left-overs of killed runs down first. */
export async function createLab(options: LabOptions): Promise<Lab> {
  const rootfs = await ensureRootfs(options.log);
  await reap(options.log);
  const record = await prepare(rootfs, options.owned);
  const hosts: LabHost[] = [];
  let ending: Promise<void> | undefined;
  let growing: Promise<unknown> = Promise.resolve();

  const down = () => {
    ending ??= takeDown(record.slot, record.id);
    return ending;
  };

  // One after the other: two callers that want more hosts must not boot the same one.
  function grow(count: number): Promise<void> {
    const grown = growing.then(() => bootUpTo(count));
    growing = grown.catch(() => undefined);
    return grown;
  }

  async function bootUpTo(count: number): Promise<void> {
    if (count > MAX_HOSTS) throw new Error(`A lab has at most ${MAX_HOSTS} hosts`);
    while (hosts.length < count) {
      const name = `node${hosts.length + 1}`;
      const network = hostNetwork(record.slot, hosts.length);
      const started = Date.now();
      const host = await bootHost(record, network, name, {
        background: options.background,
        onRecord: (entry) => {
          record.hosts = [...record.hosts.filter((other) => other.name !== entry.name), entry];
          return writeRecord(record);
        },
      });
      options.log(`${name} (${host.address}) is up after ${Date.now() - started} ms`);
      hosts.push(host);
    }
  }

  try {
    await grow(options.hosts);
  } catch (error) {
    await down();
    throw error;
  }
  return {
    slot: record.slot,
    subnet: `10.213.${record.slot}.0/24`,
    hosts,
    passwords: record.passwords,
    privateKey: readFileSync(record.privateKeyPath, 'utf8'),
    privateKeyPath: record.privateKeyPath,
    grow,
    down,
  };
}

/** Claims a slot and sets up what its hosts share. */
async function prepare(rootfs: string, owned: boolean): Promise<LabRecord> {
  const slot = await withLock('labs', claimFreeSlot);
  const record: LabRecord = {
    id: randomUUID(),
    slot,
    owner: owned ? identify(process.pid) : null,
    bootId: bootId(),
    createdAt: new Date().toISOString(),
    rootfs,
    passwords: makePasswords(),
    privateKeyPath: join(labFolder(slot), 'id_ed25519'),
    hosts: [],
  };
  await writeRecord(record);
  try {
    await makeKeyPair(record.privateKeyPath, 'tailwire-lab');
    await mkdir(labStorage(slot));
    // Memory, because an overlay's upper folder may not itself be on an overlay, as the root of a container is.
    await run('mount', ['-t', 'tmpfs', '-o', 'size=50%,mode=0700', 'tailwire-lab', labStorage(slot)]);
    await addBlackhole(slot);
    return record;
  } catch (error) {
    await takeDown(slot, record.id);
    throw error;
  }
}

async function claimFreeSlot(): Promise<number> {
  const used = new Set(usedSlots());
  for (let slot = 0; slot <= MAX_SLOT; slot++) {
    if (used.has(slot) || (await subnetTaken(slot))) continue;
    if (await claimSlot(slot)) return slot;
  }
  throw new Error('No free subnet is left for a lab (npm run lab -- status)');
}

/**
 * Takes a lab down by what is written down about it and by the names its parts have, from whichever process.
 *
 * @param id the lab meant: a later one in the same slot is left alone
 */
export function takeDown(slot: number, id: string | null): Promise<void> {
  return withLock('labs', async () => {
    const record = readRecord(slot);
    if (!existsSync(labFolder(slot)) || (record?.id ?? null) !== id) return;
    const storage = labStorage(slot);
    if (record === null || record.bootId === bootId()) {
      for (const host of record?.hosts ?? []) await destroyHost(host, join(storage, host.name, 'root'));
      for (const network of await slotNetworks(slot)) {
        for (const pid of await namespaceProcesses(network.namespace)) signal(pid, 'SIGKILL');
        await removeHostNetwork(network);
      }
      await removeBlackhole(slot);
      await unmountBelow(storage);
    }
    await rm(labFolder(slot), { recursive: true, force: true });
    if (readdirSync(STATE_DIR).length === 0) await rmdir(STATE_DIR).catch(() => {});
  });
}

async function unmountBelow(folder: string): Promise<void> {
  const points = () =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((point) => point === folder || point.startsWith(`${folder}/`));
  await waitFor(`everything below ${folder} to be unmounted`, async () => {
    for (const point of points().reverse()) await run('umount', [point], { allowFailure: true });
    return points().length === 0;
  });
}

/** Takes down what killed runs left behind. */
export async function reap(log: (line: string) => void): Promise<void> {
  for (const slot of usedSlots()) {
    if (!(await isLeftOver(slot))) continue;
    log(`Taking down lab ${slot}, left over from a run that has ended`);
    await takeDown(slot, readRecord(slot)?.id ?? null);
  }
}
