import { AppError } from '../core/errors.ts';
import type { Logger, Stoppable } from '../core/types.ts';

/** Messages of one room that may wait, and their bytes. */
const WAITING_MAX = 1000;
const WAITING_MAX_BYTES = 16 * 1024 * 1024;

interface Waiting {
  dueAt: number;
  bytes: number;
  publish(): void;
}

export interface DelayQueue extends Stoppable {
  /**
   * Publishes after `delayMs`, in the order of the due times and, where these are equal, of the calls.
   * At once, and then with its errors, where nothing has to wait.
   * @throws AppError rate_limited: too much is waiting
   */
  add(room: string, delayMs: number, bytes: number, publish: () => void): void;
  waiting(room: string): number;
}

/** Messages that are delivered later [WS-2], a queue for each room. What still waits at the stop goes out then, early but in order. */
export function createDelayQueue(deps: { logger: Logger; now?: () => number }): DelayQueue {
  const { logger, now = () => performance.now() } = deps;
  const rooms = new Map<string, { queue: Waiting[]; bytes: number; timer: NodeJS.Timeout | undefined }>();
  let stopped: Promise<void> | undefined;

  function flush(room: string, until: number): void {
    const entry = rooms.get(room);
    if (!entry) return;
    clearTimeout(entry.timer);
    const due = entry.queue.findIndex(({ dueAt }) => dueAt > until);
    for (const { publish, bytes } of entry.queue.splice(0, due < 0 ? entry.queue.length : due)) {
      entry.bytes -= bytes;
      try {
        publish();
      } catch (error) {
        logger.warn('delayed message not published', { room, error });
      }
    }
    const [next] = entry.queue;
    if (!next) rooms.delete(room);
    // Timers may fire a little early; the next round then finds it due.
    else entry.timer = setTimeout(() => flush(room, now()), Math.max(1, Math.ceil(next.dueAt - now())));
  }

  return {
    add(room, delayMs, bytes, publish) {
      const at = now();
      flush(room, at);
      if (delayMs <= 0 || stopped) return publish();
      const entry = rooms.get(room) ?? { queue: [], bytes: 0, timer: undefined };
      if (entry.queue.length >= WAITING_MAX || entry.bytes + bytes > WAITING_MAX_BYTES) {
        throw new AppError('rate_limited', { detail: 'too many messages are waiting for their delivery' });
      }
      const dueAt = at + delayMs;
      const place = entry.queue.findLastIndex((one) => one.dueAt <= dueAt) + 1;
      entry.queue.splice(place, 0, { dueAt, bytes, publish });
      entry.bytes += bytes;
      rooms.set(room, entry);
      if (place === 0) flush(room, at);
    },
    waiting: (room) => rooms.get(room)?.queue.length ?? 0,
    stop() {
      stopped ??= (async () => {
        for (const room of [...rooms.keys()]) flush(room, Number.POSITIVE_INFINITY);
      })();
      return stopped;
    },
  };
}
