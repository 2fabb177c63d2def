import { AsyncLocalStorage } from 'node:async_hooks';

/** Of the process as a whole, as its events for errors that nothing caught are. */
const owners = new AsyncLocalStorage<string>();

/**
 * Runs code that is not ours. What it leaves behind (timers, promises nobody waits for, sockets) is known as `owner`'s
 * from then on. Following it costs every promise of the process some time, so it is not for code of our own.
 */
export function runForeign<T>(owner: string, work: () => T): T {
  return owners.run(owner, work);
}

/** Whose code is running now; undefined for ours. Also in listeners of `uncaughtException` and `unhandledRejection`. */
export function foreignOwner(): string | undefined {
  return owners.getStore();
}
