import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupProcesses } from '../../scripts/lab/cgroup.ts';
import { run } from '../../scripts/lab/run.ts';
import { labFolder, readRecord } from '../../scripts/lab/state.ts';

/** Everything on this machine that belongs to the lab of a slot, each in a few words; none once it is down. */
export async function tracesOf(slot: number, cgroups: readonly string[]): Promise<string[]> {
  const ip = async (...args: string[]) => (await run('ip', ['-o', ...args])).stdout.split('\n');
  const [links, namespaces, routes] = await Promise.all([
    ip('link', 'show'),
    ip('netns', 'list'),
    ip('route', 'show', 'table', 'all'),
  ]);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const nspawn = '/run/systemd/nspawn/propagate';
  return [
    ...links.filter((line) => line.includes(` tw${slot}h`)),
    ...namespaces.filter((line) => line.startsWith(`tailwire-${slot}-`)),
    ...routes.filter((line) => line.includes(`10.213.${slot}.`)),
    ...mounts.filter((line) => line.includes(`${labFolder(slot)}/`) || line.includes(`/tailwire-${slot}-`)),
    ...(existsSync(labFolder(slot)) ? [labFolder(slot)] : []),
    ...(existsSync(nspawn) ? readdirSync(nspawn) : []).filter((name) => name.startsWith(`tailwire-${slot}-`)),
    ...cgroups.filter((folder) => existsSync(folder)),
    ...cgroups.flatMap(cgroupProcesses).map((pid) => `process ${pid}`),
  ];
}

/** The control groups of a lab's hosts, while it is up. */
export function cgroupsOf(slot: number): string[] {
  return readRecord(slot)?.hosts.flatMap((host) => host.cgroups) ?? [];
}

/** Arguments of node that run a program of the scripts folder. */
export function scriptArgs(path: string): string[] {
  return ['--import=tsx', join(import.meta.dirname, '../../scripts', path)];
}
