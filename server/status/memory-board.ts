import type { Clock, HostSnapshot, StatusBoard, StatusWish } from './types.ts';

type Listener = Parameters<StatusBoard['onPublish']>[1];

interface Host {
  snapshot: HostSnapshot | null;
  wishes: Map<string, { wish: StatusWish; until: number }>;
  listeners: Set<Listener>;
  wishListeners: Set<() => void>;
}

/**
 * The status board of a single instance, or of several in one process. A host is forgotten when nobody listens for it
 * any more, so it holds no more hosts than are watched.
 */
export function createMemoryBoard({ clock }: { clock: Clock }): StatusBoard {
  const hosts = new Map<string, Host>();

  const host = (key: string): Host => {
    const found = hosts.get(key) ?? {
      snapshot: null,
      wishes: new Map(),
      listeners: new Set<Listener>(),
      wishListeners: new Set<() => void>(),
    };
    hosts.set(key, found);
    return found;
  };
  const listen = <T>(key: string, set: (of: Host) => Set<T>, listener: T) => {
    set(host(key)).add(listener);
    return () => {
      const of = host(key);
      set(of).delete(listener);
      if (of.listeners.size === 0 && of.wishListeners.size === 0) hosts.delete(key);
    };
  };

  return {
    read: async (key) => hosts.get(key)?.snapshot ?? null,
    async publish(key, snapshot) {
      const of = hosts.get(key);
      if (of === undefined) return true;
      if (of.snapshot !== null && of.snapshot.fence > snapshot.fence) return false;
      of.snapshot = snapshot;
      for (const listener of [...of.listeners]) listener.onSnapshot(snapshot);
      return true;
    },
    async announce(key, by, transitions) {
      for (const listener of [...(hosts.get(key)?.listeners ?? [])]) listener.onTransitions(by, transitions);
    },
    onPublish: (key, listener) => listen(key, (of) => of.listeners, listener),
    async wish(key, instanceId, wish, ttlMs) {
      const of = wish === null ? hosts.get(key) : host(key);
      if (wish === null) of?.wishes.delete(instanceId);
      else of?.wishes.set(instanceId, { wish, until: clock.now() + ttlMs });
      for (const listener of [...(of?.wishListeners ?? [])]) listener();
    },
    async wishes(key) {
      const inForce = [...(hosts.get(key)?.wishes ?? [])].filter(([, { until }]) => until > clock.now());
      return new Map(inForce.map(([instanceId, { wish }]) => [instanceId, wish]));
    },
    onWish: (key, listener) => listen(key, (of) => of.wishListeners, listener),
    async stop() {
      hosts.clear();
    },
  };
}
