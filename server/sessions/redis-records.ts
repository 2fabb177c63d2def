import type { SessionEndReason } from '../../shared/events.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import { formatProof, parseProof, type SessionRecords, type SessionRef } from './records.ts';
import type { SessionFate } from './types.ts';

/** Sessions asked about in one script call: under a millisecond of Redis' time. */
const FATES_PER_CALL = 500;
/** Ends remembered here so that a Redis that comes back without them is told again. */
const MAX_ENDS = 10_000;
/**
 * How long the end of a session that the store did not know is remembered, ms: long enough to win against an instance
 * that is about to put it back, too short for a flood of invented tokens to fill Redis.
 */
const UNKNOWN_END = 120_000;

/** KEYS everywhere: ended, sealed, plain, seen (and proof). */
const PUT = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1`;

const REPLACE_PLAIN = `
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[3], KEYS[4])
return 1`;

/**
 * PTTL answers -2 where there is no key and -1 where it has no end; both are less than any ttl. That a plain session is
 * gone while the note of having seen it is not means a logout in its app, or that app's sweep of sessions older than their
 * TTL, which cannot be told apart and ends them there as well (SEAL_PLAIN_SESSIONS takes them out of its reach).
 */
const RENEW = `
if redis.call('EXISTS', KEYS[1]) == 1 then return {'ended'} end
if redis.call('PEXPIRE', KEYS[2], ARGV[1]) == 1 then return {'sealed'} end
local left = redis.call('PTTL', KEYS[3])
if left ~= -2 then
  if left < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[3], ARGV[1])
    left = tonumber(ARGV[1])
  end
  redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3], 'NX')
  return {'plain', left, redis.call('GET', KEYS[4])}
end
if redis.call('DEL', KEYS[4]) == 1 then
  redis.call('SET', KEYS[1], 'logout', 'PX', ARGV[3])
  return {'ended'}
end
return {'lost'}`;

const END = `
local existed = redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('DEL', KEYS[5])
redis.call('SET', KEYS[1], ARGV[1], 'PX', existed > 0 and ARGV[2] or ARGV[3], 'NX')
return existed`;

const FATES = `
local fates = {}
for i = 1, #KEYS, 4 do
  local fate = 'alive'
  if redis.call('EXISTS', KEYS[i + 1], KEYS[i + 2]) == 0 then
    fate = redis.call('GET', KEYS[i]) or (redis.call('EXISTS', KEYS[i + 3]) == 1 and 'logout') or 'lost'
  end
  fates[#fates + 1] = fate
end
return fates`;

const CLAIM_PROOF = `
local known = redis.call('GET', KEYS[1])
if known then
  for i = 3, #ARGV do
    if string.sub(known, 1, #ARGV[i] + 1) == ARGV[i] .. ':' then return known end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

function names({ id, token }: SessionRef): string[] {
  return [keys.sessionEnded(id), keys.session(id), keys.plainSession(token), keys.sessionSeen(id)];
}

/** The records of a cluster, in Redis. Times to live are relative, so that the clocks of Redis and of the instances need not agree. */
export function createRedisSessionRecords(redis: RedisConnections): SessionRecords {
  const put = defineScript(redis, PUT);
  const replacePlain = defineScript(redis, REPLACE_PLAIN);
  const renew = defineScript(redis, RENEW);
  const end = defineScript(redis, END);
  const fates = defineScript(redis, FATES);
  const claimProof = defineScript(redis, CLAIM_PROOF);
  const ends = new Map<string, { ref: SessionRef; reason: SessionEndReason; until: number }>();

  async function writeEnd(
    ref: SessionRef,
    reason: SessionEndReason,
    rememberMs: number,
    elseMs: number,
  ): Promise<boolean> {
    const existed = await end([...names(ref), keys.sessionProof(ref.id)], [reason, rememberMs, elseMs]);
    return Number(existed) > 0;
  }

  /** A fail-over or a restart from an old snapshot may have undone ends that were acknowledged [SES-7]. */
  async function repeatEnds(): Promise<void> {
    for (const [id, { ref, reason, until }] of ends) {
      const left = until - steadyNow();
      if (left <= 0) ends.delete(id);
      else await writeEnd(ref, reason, left, left);
    }
  }
  // Where it fails Redis is away again, and its next return repeats it.
  const stopListening = redis.onUp(() => void repeatEnds().catch(() => undefined));

  return {
    async find(ref) {
      const [ended, sealed, plain, seen] = await redis.run((client) => client.mget(names(ref)));
      return {
        ended: typeof ended === 'string',
        sealed: sealed ?? null,
        plain: plain ?? null,
        seenAt: typeof seen === 'string' ? Number(seen) : null,
      };
    },
    async put(ref, sealed, ttlMs) {
      return (await put(names(ref), [sealed, ttlMs])) === 1;
    },
    async replacePlain(ref, plain, sealed, ttlMs) {
      return (await replacePlain(names(ref), [plain, sealed, ttlMs])) === 1;
    },
    async renew(ref, ttlMs, seenAt, rememberMs) {
      const reply = (await renew(names(ref), [ttlMs, seenAt, rememberMs])) as [string, number?, string?];
      if (reply[0] === 'plain')
        return { state: 'plain', ttlMs: reply[1] ?? ttlMs, seenAt: Number(reply[2] ?? seenAt) };
      return { state: reply[0] as 'sealed' | 'ended' | 'lost' };
    },
    async end(ref, reason, rememberMs) {
      const existed = await writeEnd(ref, reason, rememberMs, Math.min(UNKNOWN_END, rememberMs));
      if (existed) {
        const [oldest] = ends.keys();
        if (ends.size >= MAX_ENDS && oldest !== undefined) ends.delete(oldest);
        ends.set(ref.id, { ref, reason, until: steadyNow() + rememberMs });
      }
      return existed;
    },
    async fates(refs) {
      const found: SessionFate[] = [];
      for (let at = 0; at < refs.length; at += FATES_PER_CALL) {
        const part = refs.slice(at, at + FATES_PER_CALL);
        found.push(...((await fates(part.flatMap(names), [])) as SessionFate[]));
      }
      return found;
    },
    async claimProof(id, marks, holdMs) {
      const busy = formatProof(marks[0] ?? '', 'busy');
      const known = await claimProof([keys.sessionProof(id)], [busy, holdMs, ...marks]);
      return typeof known === 'string' ? parseProof(known).record : 'taken';
    },
    async readProof(id, marks) {
      const text = await redis.run((client) => client.get(keys.sessionProof(id)));
      const proof = text === null ? null : parseProof(text);
      return proof !== null && marks.includes(proof.mark) ? proof.record : null;
    },
    async writeProof(id, mark, outcome, rememberMs) {
      const name = keys.sessionProof(id);
      await redis.run<unknown>((client) =>
        outcome === null ? client.del(name) : client.set(name, formatProof(mark, outcome), 'PX', rememberMs),
      );
    },
    async stop() {
      stopListening();
    },
  };
}
