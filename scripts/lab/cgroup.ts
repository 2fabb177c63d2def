import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { signal } from './process.ts';
import { waitFor } from './wait.ts';

/**
 * Hierarchies of version 1 that a host's systemd makes groups in. The rest is left out: a cpuset group, for one, takes
 * no process before it is configured.
 */
const V1_USED = new Set(['name=systemd', 'cpu', 'cpuacct', 'memory', 'pids', 'blkio', 'devices']);

/**
 * Makes a control group of its own for a host, in every hierarchy its systemd will manage: two hosts in one group would
 * take each other's services for their own.
 *
 * @returns its folders, that of the hierarchy which holds every process first
 */
export async function makeCgroups(name: string): Promise<string[]> {
  const folders: string[] = [];
  for (const { mount, path, v2 } of hierarchies()) {
    const parent = existsSync(join(mount, path)) ? join(mount, path) : mount;
    const folder = join(parent, name);
    await mkdir(folder, { recursive: true });
    if (v2) folders.unshift(folder);
    else folders.push(folder);
  }
  if (folders.length === 0) throw new Error('No control group hierarchy is mounted under /sys/fs/cgroup');
  return folders;
}

interface Hierarchy {
  mount: string;
  /** This process' own group in it. */
  path: string;
  v2: boolean;
}

function hierarchies(): Hierarchy[] {
  const own = new Map<string, string>();
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    own.set(controllers, path);
  }
  const found: Hierarchy[] = [];
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, mount, type, options = ''] = line.split(' ');
    if (!mount?.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') found.push({ mount, path: own.get('') ?? '/', v2: true });
    if (type !== 'cgroup') continue;
    const words = options.split(',');
    for (const [controllers, path] of own) {
      const names = controllers.split(',');
      const isThis = controllers !== '' && names.every((name) => words.includes(name));
      if (isThis && names.some((name) => V1_USED.has(name))) found.push({ mount, path, v2: false });
    }
  }
  return found;
}

export function hasUnifiedCgroup(): boolean {
  return hierarchies().some(({ v2 }) => v2);
}

/** @returns the processes in a group and the groups below it; none where it does not exist */
export function cgroupProcesses(folder: string): number[] {
  return [...walk(folder)].flatMap((path) => {
    try {
      return readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

/** Ends every process in the groups: within `timeoutMs`, or an error names those that stay. */
export async function killCgroups(folders: readonly string[], timeoutMs = 10_000): Promise<void> {
  const remaining = () => new Set(folders.flatMap(cgroupProcesses));
  await waitFor(
    'the processes of a host to end',
    () => {
      const pids = remaining();
      for (const pid of pids) if (pid > 1) signal(pid, 'SIGKILL');
      return pids.size === 0;
    },
    { timeoutMs, describe: () => `still there: ${[...remaining()].join(', ')}` },
  );
}

/** Removes the groups below the folders, and the folders themselves unless `keep` is set. */
export async function removeCgroups(folders: readonly string[], keep = false): Promise<void> {
  for (const folder of folders) {
    for (const path of [...walk(folder)].reverse()) {
      if (keep && path === folder) continue;
      // The kernel needs a moment between the end of the last process and the end of its group.
      await waitFor(`the control group ${path} to be free`, () => tryRmdir(path), { timeoutMs: 5000 });
    }
  }
}

async function tryRmdir(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY') return false;
    throw error;
  }
}

/** A group and all below it, parents first. */
function* walk(folder: string): Generator<string> {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return;
  }
  yield folder;
  for (const name of names) yield* walk(join(folder, name));
}
