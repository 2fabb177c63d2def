import type { Stoppable } from '../core/types.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { createFieldLeases } from '../redis/field-leases.ts';
import { keys } from '../redis/keys.ts';

/** What one instance says of one room. */
export interface PresenceEntry {
  count: number;
  /** Names, at most WHO_MAX. */
  who: string[];
}

/** Names that one instance tells of one room: enough to show, and bounded however large the room is. */
export const WHO_MAX = 100;
/** An instance that was killed is counted this long, in ms; a living one says again three times as often. */
const TTL_MS = 15_000;
/** Rooms told to Redis in one script run, so that other commands get their turn. */
const CHUNK = 200;

/** Who is where, told by the instances. Each form gives one instance its view. */
export interface PresenceStore extends Stoppable {
  /** Tells soon what `read` says then, and goes on telling it; null: nobody any more. Never fails. */
  set(room: string, read: () => PresenceEntry | null): void;
  /** Ends when everything set so far has been told, or could not be. Never fails. */
  told(): Promise<void>;
  /** What the other instances said. @throws AppError store_unavailable */
  others(room: string): Promise<Map<string, PresenceEntry>>;
}

type Board = Map<string, Map<string, () => PresenceEntry | null>>;

/** Presence within one process; instances that are to see each other (in tests) share a board. */
export function createMemoryPresence(deps: { instanceId: string; board?: Board }): PresenceStore {
  const board: Board = deps.board ?? new Map();
  return {
    set(room, read) {
      const instances = board.get(room) ?? new Map();
      if (read() === null) instances.delete(deps.instanceId);
      else instances.set(deps.instanceId, read);
      if (instances.size > 0) board.set(room, instances);
      else board.delete(room);
    },
    told: async () => {},
    async others(room) {
      const found = new Map<string, PresenceEntry>();
      for (const [instance, read] of board.get(room) ?? []) {
        const entry = instance === deps.instanceId ? null : read();
        if (entry) found.set(instance, entry);
      }
      return found;
    },
    async stop() {
      for (const instances of board.values()) instances.delete(deps.instanceId);
    },
  };
}

/**
 * Presence of a cluster: a hash for each room with a field for each instance, which ends by itself when its instance does
 * not say it again. Changes of one turn of the event loop go out together.
 */
export function createRedisPresence(deps: {
  redis: RedisConnections;
  instanceId: string;
  ttlMs?: number;
}): PresenceStore {
  const { redis, instanceId, ttlMs = TTL_MS } = deps;
  const fields = createFieldLeases(redis);
  const told = new Map<string, () => PresenceEntry | null>();
  const dirty = new Map<string, () => PresenceEntry | null>();
  let scheduled = false;
  let telling: Promise<void> = Promise.resolve();
  let stopping = false;
  let stopped: Promise<void> | undefined;

  async function flush(): Promise<void> {
    scheduled = false;
    const rooms = [...dirty];
    dirty.clear();
    for (let from = 0; from < rooms.length; from += CHUNK) {
      const chunk = rooms.slice(from, from + CHUNK);
      const texts = chunk.map(([room, entry]) => {
        const now = stopping ? null : entry();
        if (now) told.set(room, entry);
        else told.delete(room);
        return [keys.roomPresence(room), now ? JSON.stringify(now) : ''] as const;
      });
      try {
        await fields.put(instanceId, texts, ttlMs);
      } catch {
        // Redis is away. What is there is told again by the timer, what is gone ends by its time to live.
      }
    }
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    telling = new Promise((resolve) => {
      setImmediate(() => void flush().then(resolve));
    });
  }

  function tellAll(): void {
    for (const [room, entry] of told) if (!dirty.has(room)) dirty.set(room, entry);
    if (dirty.size > 0) schedule();
  }
  const timer = setInterval(tellAll, ttlMs / 3).unref();
  // It may have come back empty.
  const unlisten = redis.onUp(tellAll);

  return {
    set(room, entry) {
      if (stopping) return;
      dirty.set(room, entry);
      schedule();
    },
    told: () => telling,
    async others(room) {
      const others = new Map<string, PresenceEntry>();
      for (const [instance, text] of await fields.read(keys.roomPresence(room))) {
        if (instance !== instanceId) others.set(instance, JSON.parse(text) as PresenceEntry);
      }
      return others;
    },
    stop() {
      stopping = true;
      stopped ??= (async () => {
        clearInterval(timer);
        unlisten();
        for (const [room, entry] of told) dirty.set(room, entry);
        await flush();
      })();
      return stopped;
    },
  };
}
