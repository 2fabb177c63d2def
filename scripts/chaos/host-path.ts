import type { HostNetwork } from '../lab/network.ts';
import { run } from '../lab/run.ts';

/** Nobody's link address, and an address of TEST-NET-1 (RFC 5737) that stands for it: what is sent there is lost. */
const NOBODY = '02:00:00:00:00:00';
const NOWHERE = '192.0.2.1';
/** In front of the rules that every system has (32766 main). */
const PRIORITY = '1000';
/** Last byte of the first path's address; a lab's hosts are counted from below. */
const FIRST_BYTE = 201;
/** The wire's end inside a host. */
const INNER_LINK = 'host0';

/** A way to one host that only one user's processes take, with an address of its own, so that it can be cut alone. */
export interface HostPath {
  /** Loses every packet in both directions, without an error, on connections there are too. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Makes the way by policy routing (ip-rule(8), uidrange): a table of the user's own with its own source address, and a
 * route back inside the host. Cut, both lead to a neighbour who does not exist.
 *
 * @param index tells the ways to one host apart
 */
export async function createHostPath(options: {
  uid: number;
  index: number;
  network: HostNetwork;
}): Promise<HostPath> {
  const { uid, index, network } = options;
  const { address, gateway, link, namespace } = network;
  const own = address.replace(/\d+$/, String(FIRST_BYTE + index));
  const table = String(uid);
  const inside = ['-n', namespace];
  const rule = ['to', `${address}/32`, 'uidrange', `${uid}-${uid}`, 'lookup', table, 'pref', PRIORITY];
  const nowhere = (device: string) => ['via', NOWHERE, 'dev', device, 'onlink'];
  const neighbour = (device: string) => [
    'neigh',
    'replace',
    NOWHERE,
    'lladdr',
    NOBODY,
    'dev',
    device,
    'nud',
    'permanent',
  ];

  const restore = async () => {
    await run('ip', ['route', 'replace', `${address}/32`, 'dev', link, 'src', own, 'table', table]);
    await run('ip', [...inside, 'route', 'replace', `${own}/32`, 'via', gateway]);
  };
  const remove = async () => {
    const options = { allowFailure: true };
    await run('ip', ['rule', 'del', ...rule], options);
    await run('ip', ['route', 'flush', 'table', table], options);
    await run('ip', [...inside, 'route', 'del', `${own}/32`], options);
    await run('ip', ['address', 'del', `${own}/32`, 'dev', link], options);
  };
  await remove();
  try {
    await run('ip', ['address', 'add', `${own}/32`, 'dev', link]);
    await run('ip', neighbour(link));
    await run('ip', [...inside, ...neighbour(INNER_LINK)]);
    await restore();
    await run('ip', ['rule', 'add', ...rule]);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    async cut() {
      const source = ['src', own, 'table', table];
      await run('ip', ['route', 'replace', `${address}/32`, ...nowhere(link), ...source]);
      await run('ip', [...inside, 'route', 'replace', `${own}/32`, ...nowhere(INNER_LINK)]);
    },
    restore,
    remove,
  };
}
