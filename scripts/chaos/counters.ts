import { readdirSync, readlinkSync } from 'node:fs';
import { waitFor } from '../lab/wait.ts';
import type { Instance } from './instance.ts';
import type { Rig } from './rig.ts';

/** How many of each thing there are, by the names in the tables below. */
export interface Counters {
  readonly shared: Readonly<Record<string, number>>;
  /** By instance. */
  readonly instances: readonly Readonly<Record<string, number>>[];
}

interface Row<Of> {
  name: string;
  /** How many more than at the beginning may be there at the end: what comes and goes by itself. */
  slack: number;
  /** Goes by itself after half a minute in which nobody needs it. */
  idles?: boolean;
  read(of: Of): number | Promise<number>;
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

/** An instance that does not answer in time has not none of it. */
const metric = (name: string) => (instance: Instance) =>
  waitFor(`${instance.name} to tell ${name}`, async () => (await instance.metric(name)) ?? undefined);

const OF_INSTANCES: readonly Row<Instance>[] = [
  { name: 'fds', slack: 10, read: ({ pid }) => descriptors(pid).length },
  {
    name: 'sockets',
    slack: 8,
    read: ({ pid }) => descriptors(pid).filter((name) => name.startsWith('socket:')).length,
  },
  { name: 'timers', slack: 10, read: metric('nodejs_active_resources{type="Timeout"}') },
  { name: 'clients', slack: 0, read: metric('tailwire_sockets') },
  { name: 'ssh connections', slack: 0, idles: true, read: metric('tailwire_ssh_connections') },
  { name: 'ssh channels', slack: 0, read: metric('tailwire_ssh_channels') },
  { name: 'streams owned', slack: 0, read: metric('tailwire_streams_owned') },
];

async function keysLike(rig: Rig, pattern: string): Promise<number> {
  return (await rig.redis.cli('--scan', '--pattern', pattern)).split('\n').filter(Boolean).length;
}

const onHosts = (rig: Rig, pattern: RegExp) =>
  rig.hosts.reduce((sum, host) => sum + host.countProcesses(pattern), 0);

/** The two processes of a connection, not the listener. */
const SSHD_SESSION = /^sshd: (?!\S*\/sshd .*\[listener\])/;

const SHARED: readonly Row<Rig>[] = [
  { name: 'journalctl', slack: 0, read: (rig) => onHosts(rig, /journalctl/) },
  { name: 'sshd processes', slack: 0, idles: true, read: (rig) => onHosts(rig, SSHD_SESSION) },
  { name: 'leases', slack: 0, read: (rig) => keysLike(rig, 'tailwire:lease:*') },
  { name: 'redis keys', slack: 30, read: (rig) => keysLike(rig, '*') },
  {
    name: 'redis clients',
    slack: 3,
    read: async (rig) => (await rig.redis.cli('client', 'list')).split('\n').length,
  },
];

async function readRow<Of>(rows: readonly Row<Of>[], of: Of): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name, read } of rows) counts[name] = await read(of);
  return counts;
}

/** Counts everything that must not pile up: in the instances, on the hosts, in Redis. */
export async function takeCounters(rig: Rig): Promise<Counters> {
  const instances: Record<string, number>[] = [];
  for (const instance of rig.instances) instances.push(await readRow(OF_INSTANCES, instance));
  return { shared: await readRow(SHARED, rig), instances };
}

/**
 * What there is more of than at the beginning, one text each; an instance counts from the highest beginning of all.
 * @param options idle: it was waited for what goes by itself
 */
export function leftBehind(before: Counters, after: Counters, { idle }: { idle: boolean }): string[] {
  const found: string[] = [];
  for (const { name, slack, idles } of SHARED) {
    if (idles && !idle) continue;
    const more = (after.shared[name] ?? 0) - (before.shared[name] ?? 0);
    if (more > slack) found.push(`${more} more ${name}`);
  }
  for (const { name, slack, idles } of OF_INSTANCES) {
    if (idles && !idle) continue;
    const most = Math.max(...before.instances.map((counts) => counts[name] ?? 0));
    after.instances.forEach((counts, n) => {
      const more = (counts[name] ?? 0) - most;
      if (more > slack) found.push(`${more} more ${name} in instance ${n + 1}`);
    });
  }
  return found;
}

/** Both counts beside each other: `fds 31 30 31→33 31 32`. */
export function describeCounters(before: Counters, after: Counters): string {
  const each = (counters: Counters, name: string) =>
    counters.instances.map((counts) => counts[name] ?? 0).join(' ');
  return [
    ...SHARED.map(({ name }) => `${name} ${before.shared[name] ?? 0}→${after.shared[name] ?? 0}`),
    ...OF_INSTANCES.map(({ name }) => `${name} ${each(before, name)}→${each(after, name)}`),
  ].join(', ');
}
