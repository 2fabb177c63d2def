import { AsyncLocalStorage } from 'node:async_hooks';

/** Of the process as a whole, as its events for errors that nothing caught are. */
const owners = new AsyncLocalStorage<string>();
let hasMicrotasks = false;

/**
 * Node 20 has left the context of a `queueMicrotask` by the time that it reports what it threw, so that nobody could tell
 * whose it was. While foreign code runs it is thrown again where the context is kept; our own code sees no difference.
 */
function keepMicrotasks(): void {
  if (hasMicrotasks) return;
  hasMicrotasks = true;
  const { queueMicrotask: queue } = globalThis;
  globalThis.queueMicrotask = (callback) => {
    if (foreignOwner() === undefined || typeof callback !== 'function') return queue(callback);
    queue(() => {
      try {
        callback();
      } catch (error) {
        setImmediate(() => {
          throw error;
        });
      }
    });
  };
}

/**
 * Runs code that is not ours. What it leaves behind (timers, promises nobody waits for, sockets) is known as `owner`'s
 * from then on. Following it costs every promise of the process some time, so it is not for code of our own.
 */
export function runForeign<T>(owner: string, work: () => T): T {
  keepMicrotasks();
  return owners.run(owner, work);
}

/** Whose code is running now; undefined for ours. Also in listeners of `uncaughtException` and `unhandledRejection`. */
export function foreignOwner(): string | undefined {
  return owners.getStore();
}
