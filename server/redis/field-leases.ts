import type { RedisConnections } from './connections.ts';
import { defineScript } from './script.ts';

/**
 * Hashes whose fields end by themselves, as keys do (HEXPIRE needs Redis 7.4): each field holds its end by the server's
 * clock, which all instances share, its life, and a text. A hash lives as long as its last field.
 */
export interface FieldLeases {
  /** Writes one field in each of several hashes for `ttlMs`; an empty text takes it out. @throws AppError store_unavailable */
  put(field: string, texts: readonly (readonly [key: string, text: string])[], ttlMs: number): Promise<void>;
  /** The texts in force, by field. @throws AppError store_unavailable */
  read(key: string): Promise<Map<string, string>>;
}

/** KEYS hashes. ARGV field, life in ms, then a text for each hash ('' takes the field out). */
const PUT = `
local time = redis.call('TIME')
local ends = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2])
for n = 1, #KEYS do
  local text = ARGV[n + 2]
  if text == '' then
    redis.call('HDEL', KEYS[n], ARGV[1])
  else
    redis.call('HSET', KEYS[n], ARGV[1], string.format('%.0f', ends) .. ' ' .. ARGV[2] .. ' ' .. text)
    if redis.call('PTTL', KEYS[n]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[n], ARGV[2]) end
  end
end
return 1`;

/**
 * KEYS hash. @returns field and text of what is in force, in turn; drops the rest. What would live for longer than its life
 * was written before the clock was set back: it gets its life from now on.
 */
const READ = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local all = redis.call('HGETALL', KEYS[1])
local found = {}
for n = 1, #all, 2 do
  local ends, life, text = string.match(all[n + 1], '^(%d+) (%d+) (.*)$')
  local left = ends and tonumber(ends) - now or 0
  if left > 0 then
    found[#found + 1] = all[n]
    found[#found + 1] = text
    if left > tonumber(life) then
      redis.call('HSET', KEYS[1], all[n], string.format('%.0f', now + tonumber(life)) .. ' ' .. life .. ' ' .. text)
    end
  else
    redis.call('HDEL', KEYS[1], all[n])
  end
end
return found`;

/** See `FieldLeases`. */
export function createFieldLeases(redis: RedisConnections): FieldLeases {
  const put = defineScript(redis, PUT);
  const read = defineScript(redis, READ);
  return {
    async put(field, texts, ttlMs) {
      await put(
        texts.map(([key]) => key),
        [field, ttlMs, ...texts.map(([, text]) => text)],
      );
    },
    async read(key) {
      const found = (await read([key], [])) as string[];
      const texts = new Map<string, string>();
      for (let n = 0; n + 1 < found.length; n += 2) texts.set(found[n] ?? '', found[n + 1] ?? '');
      return texts;
    },
  };
}
