import { addressGroup } from './client-address.ts';

/**
 * Bounds on what one client address may have of connections that have not shown who they are. An office behind one address
 * never sees them: its connections show a token at once. Beyond `calm` those that have had their time go, the oldest
 * first, so that whoever comes to stay gets in whatever the others do; beyond `most` the oldest goes in any case.
 */
export interface StrangerLimits {
  calm: number;
  most: number;
  /** Ms that each has to show its token, also where there are more than `calm`. */
  patienceMs: number;
}

export interface Strangers {
  /**
   * Counts one more.
   * @param turnOut ends the connection; called once at most, while it is counted, and it is not counted any more then
   * @returns the function that ends the counting; any number of calls
   */
  enter(address: string, turnOut: () => void): () => void;
  /** Those counted now, over all addresses. */
  count(): number;
}

interface Stranger {
  /** Ms of the monotonic clock. */
  since: number;
  turnOut(): void;
}

/** Keeps count of connections without a name, for each client address (IPv6: its /64). */
export function createStrangers(
  deps: StrangerLimits & { onTurnedOut?(): void; now?: () => number },
): Strangers {
  const { calm, most, patienceMs, onTurnedOut, now = () => performance.now() } = deps;
  /** In the order in which they came. */
  const groups = new Map<string, Set<Stranger>>();
  let total = 0;

  function leave(name: string, group: Set<Stranger>, stranger: Stranger): void {
    if (!group.delete(stranger)) return;
    total -= 1;
    if (group.size === 0) groups.delete(name);
  }

  return {
    enter(address, turnOut) {
      const name = addressGroup(address);
      const group = groups.get(name) ?? new Set();
      groups.set(name, group);
      const stranger = { since: now(), turnOut };
      group.add(stranger);
      total += 1;
      for (const oldest of group) {
        const isDue = group.size > most || stranger.since - oldest.since >= patienceMs;
        if (group.size <= calm || !isDue) break;
        leave(name, group, oldest);
        onTurnedOut?.();
        oldest.turnOut();
      }
      return () => leave(name, group, stranger);
    },
    count: () => total,
  };
}
