import type { Stoppable } from '../core/types.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';

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

/** KEYS rooms. ARGV instance, life in ms, then a text for each room ('' takes the instance out). The end is by the server's clock. */
const TELL = `
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2])
for n = 1, #KEYS do
  local text = ARGV[n + 2]
  if text == '' then
    redis.call('HDEL', KEYS[n], ARGV[1])
  else
    redis.call('HSET', KEYS[n], ARGV[1], string.format('%.0f', ends) .. ' ' .. text)
    redis.call('PEXPIRE', KEYS[n], ARGV[2])
  end
end
return 1`;

/** KEYS room. @returns instance and text of the entries in force, in turn; drops the others */
const READ = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local all = redis.call('HGETALL', KEYS[1])
local found = {}
for n = 1, #all, 2 do
  local space = string.find(all[n + 1], ' ', 1, true)
  if tonumber(string.sub(all[n + 1], 1, space - 1)) > now then
    found[#found + 1] = all[n]
    found[#found + 1] = string.sub(all[n + 1], space + 1)
  else
    redis.call('HDEL', KEYS[1], all[n])
  end
end
return found`;

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
  const tell = defineScript(redis, TELL);
  const read = defineScript(redis, READ);
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
      const texts = chunk.map(([, entry]) => {
        const now = stopping ? null : entry();
        return now ? JSON.stringify(now) : '';
      });
      for (const [at, [room, entry]] of chunk.entries()) {
        if (texts[at] === '') told.delete(room);
        else told.set(room, entry);
      }
      try {
        await tell(
          chunk.map(([room]) => keys.roomPresence(room)),
          [instanceId, ttlMs, ...texts],
        );
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
      const found = (await read([keys.roomPresence(room)], [])) as string[];
      const others = new Map<string, PresenceEntry>();
      for (let n = 0; n + 1 < found.length; n += 2) {
        if (found[n] !== instanceId)
          others.set(found[n] ?? '', JSON.parse(found[n + 1] ?? 'null') as PresenceEntry);
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
