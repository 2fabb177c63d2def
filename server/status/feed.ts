import { normalizeUnit } from '../../shared/unit-name.ts';
import { AppError } from '../core/errors.ts';
import { createHostFeed, type HostFeedDeps } from './host-feed.ts';
import { hostKey } from './host-key.ts';
import { SERVICES_MAX } from './prober.ts';
import type { StatusFeed } from './types.ts';

/**
 * Live status of hosts [SIO-6]: one poll a host, shared by all its viewers however many and however different their
 * intervals, and changes pushed at once because systemd's own journal messages tell of them. A full list comes at the
 * start, at each viewer's interval and with every change.
 */
export function createStatusFeed(deps: HostFeedDeps): StatusFeed {
  const hosts = new Map<string, ReturnType<typeof createHostFeed>>();
  let stopped: Promise<void> | null = null;

  function open(key: string) {
    const current = hosts.get(key);
    if (current?.isOpen()) return current;
    const created = createHostFeed(key, deps, current?.stop() ?? Promise.resolve(), () => {
      if (hosts.get(key) === created) hosts.delete(key);
    });
    hosts.set(key, created);
    return created;
  }

  return {
    subscribe(viewer) {
      if (stopped) throw new AppError('draining');
      const wrong = viewer.services.some((service) => normalizeUnit(service) !== service);
      if (wrong || viewer.services.length > SERVICES_MAX) throw new AppError('invalid_service');
      return open(hostKey(viewer.target)).subscribe(viewer);
    },
    stats() {
      const viewers = [...hosts.values()].reduce((sum, host) => sum + host.viewers(), 0);
      return { hosts: hosts.size, viewers };
    },
    stop() {
      stopped ??= Promise.all([...hosts.values()].map((host) => host.stop())).then(() => {});
      return stopped;
    },
  };
}
