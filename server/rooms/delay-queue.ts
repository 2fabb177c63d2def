import { AppError } from '../core/errors.ts';
import type { Logger, Stoppable } from '../core/types.ts';

/**
 * Messages of one room that may wait, and their bytes. A sender may have as much of them as it leaves free for others
 * (dynamic thresholds, Choudhury and Hahne 1998): one alone half of them, and whoever comes next half of what is left; with
 * time two have a third each.
 */
const WAITING_MAX = 2000;
const WAITING_MAX_BYTES = 32 * 1024 * 1024;

/** A message that is to be published later. */
interface Delayed {
  room: string;
  /** Who is accountable for it: gets a share of the room's queue. */
  sender: string;
  delayMs: number;
  bytes: number;
}

interface Waiting {
  sender: string;
  dueAt: number;
  bytes: number;
  publish(): void;
}

/** What waits, of a room or of one of its senders. */
interface Load {
  count: number;
  bytes: number;
}

interface RoomQueue extends Load {
  queue: Waiting[];
  senders: Map<string, Load>;
  timer: NodeJS.Timeout | undefined;
}

function change(load: Load, count: number, bytes: number): void {
  load.count += count;
  load.bytes += bytes;
}

/** Whether a sender with one message more still leaves as much free as it has. */
function isFair(room: Load, sender: Load, bytes: number): boolean {
  return (
    sender.count + 1 <= WAITING_MAX - (room.count + 1) &&
    sender.bytes + bytes <= WAITING_MAX_BYTES - (room.bytes + bytes)
  );
}

export interface DelayQueue extends Stoppable {
  /**
   * Publishes after `delayMs` (ms), in the order of the due times and, where these are equal, of the calls.
   * At once, and then with its errors, where nothing has to wait.
   * @throws AppError rate_limited: too much of the sender is waiting
   */
  add(message: Delayed, publish: () => void): void;
  waiting(room: string): number;
}

/** Messages that are delivered later [WS-2], a queue for each room. What still waits at the stop goes out then, early but in order. */
export function createDelayQueue(deps: { logger: Logger; now?: () => number }): DelayQueue {
  const { logger, now = () => performance.now() } = deps;
  const rooms = new Map<string, RoomQueue>();
  let stopped: Promise<void> | undefined;

  function flush(room: string, until: number): void {
    const entry = rooms.get(room);
    if (!entry) return;
    clearTimeout(entry.timer);
    const due = entry.queue.findIndex(({ dueAt }) => dueAt > until);
    for (const { publish, sender, bytes } of entry.queue.splice(0, due < 0 ? entry.queue.length : due)) {
      change(entry, -1, -bytes);
      const load = entry.senders.get(sender);
      if (load) change(load, -1, -bytes);
      if (load?.count === 0) entry.senders.delete(sender);
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
    add({ room, sender, delayMs, bytes }, publish) {
      const at = now();
      flush(room, at);
      if (delayMs <= 0 || stopped) return publish();
      const entry = rooms.get(room) ?? {
        queue: [],
        count: 0,
        bytes: 0,
        senders: new Map<string, Load>(),
        timer: undefined,
      };
      const load = entry.senders.get(sender) ?? { count: 0, bytes: 0 };
      if (!isFair(entry, load, bytes)) {
        throw new AppError('rate_limited', { detail: 'too many messages are waiting for their delivery' });
      }
      const dueAt = at + delayMs;
      const place = entry.queue.findLastIndex((one) => one.dueAt <= dueAt) + 1;
      entry.queue.splice(place, 0, { sender, dueAt, bytes, publish });
      change(entry, 1, bytes);
      change(load, 1, bytes);
      entry.senders.set(sender, load);
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
