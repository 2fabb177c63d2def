import { AppError } from './errors.ts';

/** So many uses of something at a time for each key; the key is a session's id, say. */
export interface Slots {
  /**
   * Waits for a slot of `key`, in order.
   * @returns the function that gives it back, idempotent
   * @throws AppError rate_limited where too many wait already, ssh_closed where the signal aborted first
   */
  take(key: string, signal: AbortSignal): Promise<() => void>;
}

/**
 * Keeps one user from taking what is there for all: at most `slots` uses at a time for one key, and `waiting` more in a
 * queue. Keys that nobody uses take no memory.
 */
export function createSlots(options: { slots: number; waiting: number }): Slots {
  const users = new Map<string, { used: number; queue: (() => void)[] }>();

  function give(key: string, user: { used: number; queue: (() => void)[] }): () => void {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = user.queue.shift();
      if (next) return next();
      user.used -= 1;
      if (user.used === 0) users.delete(key);
    };
  }

  return {
    async take(key, signal) {
      if (signal.aborted) throw new AppError('ssh_closed', { cause: 'aborted' });
      const user = users.get(key) ?? { used: 0, queue: [] };
      users.set(key, user);
      if (user.used < options.slots) {
        user.used += 1;
        return give(key, user);
      }
      if (user.queue.length >= options.waiting) throw new AppError('rate_limited');
      return new Promise((resolve, reject) => {
        const start = () => {
          signal.removeEventListener('abort', giveUp);
          resolve(give(key, user));
        };
        const giveUp = () => {
          user.queue.splice(user.queue.indexOf(start), 1);
          reject(new AppError('ssh_closed', { cause: 'aborted' }));
        };
        user.queue.push(start);
        signal.addEventListener('abort', giveUp, { once: true });
      });
    },
  };
}
