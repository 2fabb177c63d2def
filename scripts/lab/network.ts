import { run } from './run.ts';

/**
 * A lab has the subnet 10.213.SLOT.0/24, each of its hosts a /30 of it: the machine's end of the wire and the host's.
 * The hosts live in network namespaces without a default route, and what is sent to the subnet while no such wire
 * exists falls into a blackhole: nothing ever leaves the machine.
 */
export interface HostNetwork {
  namespace: string;
  /** Name of the wire's end on the machine. */
  link: string;
  /** Address of the machine's end. */
  gateway: string;
  /** Address of the host. */
  address: string;
}

/** Slots are the third byte of the addresses. */
export const MAX_SLOT = 254;
/** /30 networks in a /24, of which the first is left out so that no address ends in 0. */
export const MAX_HOSTS = 62;

/** Name of the wire's end inside the host. */
const INNER_LINK = 'host0';
/** Nobody's link address: frames sent to it are dropped by the receiver, as silently as a cut wire drops them. */
const NOBODY = '02:00:00:00:00:00';
/** Loses against every real route. */
const BLACKHOLE_METRIC = '4000000000';

export function hostNetwork(slot: number, index: number): HostNetwork {
  const base = 4 * (index + 1);
  return {
    namespace: `tailwire-${slot}-${index + 1}`,
    link: `tw${slot}h${index + 1}`,
    gateway: `10.213.${slot}.${base + 1}`,
    address: `10.213.${slot}.${base + 2}`,
  };
}

function subnet(slot: number): string {
  return `10.213.${slot}.0/24`;
}

/** Whether this machine has a route to a slot's subnet already, its own or someone else's. */
export async function subnetTaken(slot: number): Promise<boolean> {
  const { stdout } = await run('ip', ['-4', 'route', 'show', 'table', 'all', 'root', subnet(slot)]);
  return stdout.trim() !== '';
}

export async function addBlackhole(slot: number): Promise<void> {
  await run('ip', ['route', 'add', 'blackhole', subnet(slot), 'metric', BLACKHOLE_METRIC]);
}

export async function removeBlackhole(slot: number): Promise<void> {
  await run('ip', ['route', 'del', 'blackhole', subnet(slot), 'metric', BLACKHOLE_METRIC], {
    allowFailure: true,
  });
}

export async function addHostNetwork(network: HostNetwork): Promise<void> {
  const { namespace, link } = network;
  await run('ip', ['netns', 'add', namespace]);
  await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', INNER_LINK, 'netns', namespace]);
  await run('ip', ['address', 'add', `${network.gateway}/30`, 'dev', link]);
  await run('ip', ['link', 'set', link, 'up']);
  const inner = `address add ${network.address}/30 dev ${INNER_LINK}\nlink set ${INNER_LINK} up\nlink set lo up\n`;
  await run('ip', ['-n', namespace, '-batch', '-'], { input: inner });
}

/** Removes what `addHostNetwork` made, as far as it is there; the wire goes with its inner end. */
export async function removeHostNetwork(network: { namespace: string; link: string }): Promise<void> {
  await run('ip', ['link', 'del', network.link], { allowFailure: true });
  await run('ip', ['netns', 'del', network.namespace], { allowFailure: true });
}

/** Namespaces and wires of a slot that exist, by their names alone: for labs whose own records are gone. */
export async function slotNetworks(slot: number): Promise<{ namespace: string; link: string }[]> {
  const [namespaces, links] = await Promise.all([
    run('ip', ['-o', 'netns', 'list']),
    run('ip', ['-o', 'link', 'show', 'type', 'veth']),
  ]);
  const numbers = new Set<string>();
  for (const [, n] of namespaces.stdout.matchAll(new RegExp(`^tailwire-${slot}-(\\d+)\\b`, 'gm')))
    if (n) numbers.add(n);
  for (const [, n] of links.stdout.matchAll(new RegExp(` tw${slot}h(\\d+)[@:]`, 'g'))) if (n) numbers.add(n);
  return [...numbers].map((n) => ({ namespace: `tailwire-${slot}-${n}`, link: `tw${slot}h${n}` }));
}

/** Processes (numbers as the machine sees them) in a network namespace. */
export async function namespaceProcesses(namespace: string): Promise<number[]> {
  const { stdout } = await run('ip', ['netns', 'pids', namespace], { allowFailure: true });
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** Loses every packet in both directions from now on; connections, addresses and routes stay as they are. */
export async function cut(network: HostNetwork): Promise<void> {
  await run('ip', [
    'neigh',
    'replace',
    network.address,
    'lladdr',
    NOBODY,
    'dev',
    network.link,
    'nud',
    'permanent',
  ]);
  const inner = [
    'neigh',
    'replace',
    network.gateway,
    'lladdr',
    NOBODY,
    'dev',
    INNER_LINK,
    'nud',
    'permanent',
  ];
  await run('ip', ['-n', network.namespace, ...inner]);
}

/** Ends `cut`; on a wire that is not cut it changes nothing that lasts. */
export async function restore(network: HostNetwork): Promise<void> {
  const options = { allowFailure: true };
  await run('ip', ['neigh', 'del', network.address, 'dev', network.link], options);
  await run('ip', ['-n', network.namespace, 'neigh', 'del', network.gateway, 'dev', INNER_LINK], options);
}

/** Limits what the host sends to so many kbit/s; `null` lifts the limit. */
export async function limitRate(network: HostNetwork, kbit: number | null): Promise<void> {
  const at = ['-n', network.namespace, 'qdisc'];
  if (kbit === null) await run('tc', [...at, 'del', 'dev', INNER_LINK, 'root'], { allowFailure: true });
  else {
    const shape = ['tbf', 'rate', `${kbit}kbit`, 'burst', '32kb', 'latency', '400ms'];
    await run('tc', [...at, 'replace', 'dev', INNER_LINK, 'root', ...shape]);
  }
}
