import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import type { WireMessage } from './types.ts';

/** Most messages a room may keep. */
export const HISTORY_MAX = 1000;
/** Most bytes of messages a room keeps, whatever its length. */
export const HISTORY_MAX_BYTES = 2_097_152;
/** A history disappears this long after its last message, in ms. */
const TTL_MS = 3_600_000;

/** The newest messages of rooms, shared by all instances. */
export interface HistoryStore {
  /** @throws AppError store_unavailable */
  append(room: string, length: number, messages: readonly WireMessage[]): Promise<void>;
  /** Oldest first. @throws AppError store_unavailable */
  read(room: string): Promise<WireMessage[]>;
}

export function createMemoryHistory(): HistoryStore {
  const rooms = new Map<string, WireMessage[]>();
  return {
    async append(room, length, messages) {
      const kept = [...(rooms.get(room) ?? []), ...messages].slice(-length);
      let bytes = kept.reduce((sum, { json }) => sum + json.length, 0);
      while (bytes > HISTORY_MAX_BYTES) bytes -= kept.shift()?.json.length ?? bytes;
      rooms.set(room, kept);
    },
    read: async (room) => [...(rooms.get(room) ?? [])],
  };
}

/** KEYS list, byte count. ARGV most messages, most bytes, life in ms, then the messages. */
const APPEND = `
for n = 4, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[n])
  redis.call('INCRBY', KEYS[2], #ARGV[n])
end
local bytes = tonumber(redis.call('GET', KEYS[2]) or '0')
local length = redis.call('LLEN', KEYS[1])
while length > tonumber(ARGV[1]) or (bytes > tonumber(ARGV[2]) and length > 0) do
  bytes = bytes - #redis.call('LPOP', KEYS[1])
  length = length - 1
end
redis.call('SET', KEYS[2], bytes, 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

export function createRedisHistory(deps: { redis: RedisConnections }): HistoryStore {
  const append = defineScript(deps.redis, APPEND);
  return {
    async append(room, length, messages) {
      await append(
        [keys.roomHistory(room), keys.roomHistoryBytes(room)],
        [length, HISTORY_MAX_BYTES, TTL_MS, ...messages.map((message) => JSON.stringify(message))],
      );
    },
    async read(room) {
      const texts = await deps.redis.run((client) => client.lrange(keys.roomHistory(room), 0, -1));
      return texts.map((text) => JSON.parse(text) as WireMessage);
    },
  };
}
