import type { Logger } from '../core/types.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import { type RawEntry, readBatch } from './redis-batch.ts';
import { createStreamFollower } from './redis-follower.ts';
import {
  type AppendResult,
  STREAM_MAX_BATCHES,
  STREAM_MAX_BYTES,
  STREAM_TTL_MS,
  type StreamHead,
  type StreamStore,
} from './types.ts';

/** KEYS head, stream, lease. ARGV fence, life. Takes a stream over for the holder of the lease. */
const CLAIM = `
local lease = redis.call('GET', KEYS[3])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then return {'fenced'} end
local head = redis.call('HMGET', KEYS[1], 'fence', 'epoch', 'seq', 'cursor')
if head[1] and tonumber(head[1]) > tonumber(ARGV[1]) then return {'fenced'} end
if not head[2] then return {'none'} end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {'head', head[2], head[3], head[4]}`;

/** KEYS as above. ARGV fence, life, epoch, number used. Sequence numbers go on, or start at the server's clock where none are known. */
const BEGIN = `
local lease = redis.call('GET', KEYS[3])
if not lease or string.match(lease, '^%d+') ~= ARGV[1] then return {'fenced'} end
local head = redis.call('HMGET', KEYS[1], 'fence', 'seq')
if head[1] and tonumber(head[1]) > tonumber(ARGV[1]) then return {'fenced'} end
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local used = math.max(tonumber(head[2] or '0'), tonumber(ARGV[4]))
local seq = string.format('%.0f', math.max(used + 1, clock))
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'epoch', ARGV[3], 'seq', seq, 'bytes', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'head', ARGV[3], seq}`;

/**
 * KEYS head, stream. ARGV fence, life, epoch, first, count, body, cursor, max bytes, max batches. The stream's entry ids
 * are the sequence numbers of the batches' last lines.
 */
const APPEND = `
local head = redis.call('HMGET', KEYS[1], 'fence', 'epoch', 'seq', 'bytes')
if head[1] and tonumber(head[1]) > tonumber(ARGV[1]) then return 'fenced' end
if head[1] ~= ARGV[1] or head[2] ~= ARGV[3] then return 'rolled_back' end
local last = tonumber(ARGV[4]) + tonumber(ARGV[5]) - 1
local seq = tonumber(head[3])
if seq == last then return 'ok' end
if seq ~= tonumber(ARGV[4]) - 1 then return 'rolled_back' end
local id = string.format('%.0f', last)
redis.call('XADD', KEYS[2], id .. '-0', 'e', ARGV[3], 'f', ARGV[4], 'n', ARGV[5], 'b', ARGV[6], 'c', ARGV[7])
local bytes = tonumber(head[4]) + #ARGV[6]
local length = redis.call('XLEN', KEYS[2])
while length > 1 and (bytes > tonumber(ARGV[8]) or length > tonumber(ARGV[9])) do
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  bytes = bytes - #oldest[2][8]
  redis.call('XDEL', KEYS[2], oldest[1])
  length = length - 1
end
redis.call('HSET', KEYS[1], 'seq', id, 'cursor', ARGV[7], 'bytes', string.format('%.0f', bytes))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 'ok'`;

/** KEYS head, stream. Both at one moment. */
const READ = `
return {redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'cursor'), redis.call('XRANGE', KEYS[2], '-', '+')}`;

/** Streams in Redis: the batches in a Redis Stream, its head beside it in a hash, changed together by scripts. */
export function createRedisStreams(deps: { redis: RedisConnections; logger: Logger }): StreamStore {
  const claim = defineScript(deps.redis, CLAIM);
  const begin = defineScript(deps.redis, BEGIN);
  const append = defineScript(deps.redis, APPEND);
  const read = defineScript(deps.redis, READ);
  const follower = createStreamFollower(deps);

  const headOf = (reply: unknown): StreamHead => {
    const [, epoch = '', seq = '0', cursor] = reply as string[];
    return { epoch, seq: Number(seq), cursor: cursor ?? null };
  };
  const keysOf = (stream: string) => [keys.streamHead(stream), keys.stream(stream)];

  return {
    async claim(stream, lease) {
      const reply = await claim([...keysOf(stream), keys.lease(lease.name)], [lease.fence, STREAM_TTL_MS]);
      const [word] = reply as string[];
      return word === 'fenced' ? 'fenced' : word === 'none' ? null : headOf(reply);
    },
    async begin(stream, lease, epoch, above = 0) {
      const reply = await begin(
        [...keysOf(stream), keys.lease(lease.name)],
        [lease.fence, STREAM_TTL_MS, epoch, above],
      );
      return (reply as string[])[0] === 'fenced' ? 'fenced' : headOf(reply);
    },
    async append(stream, lease, batch) {
      const { epoch, firstSeq, count, body, cursor } = batch;
      const bounds = [STREAM_MAX_BYTES, STREAM_MAX_BATCHES];
      // As bytes: the client would put one long string together, look how many bytes it has, and only then encode it.
      const bytes = Buffer.from(body);
      const args = [lease.fence, STREAM_TTL_MS, epoch, firstSeq, count, bytes, cursor, ...bounds];
      return (await append(keysOf(stream), args)) as AppendResult;
    },
    async read(stream) {
      const [[epoch, seq, cursor], entries] = (await read(keysOf(stream), [])) as [
        (string | null)[],
        RawEntry[],
      ];
      if (!epoch) return null;
      return { epoch, seq: Number(seq), cursor: cursor ?? null, batches: entries.map(readBatch) };
    },
    follow: follower.follow,
    stop: follower.stop,
  };
}
