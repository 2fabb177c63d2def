import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { defineScript } from '../redis/script.ts';
import { createExpiringMap } from './expiring-map.ts';

/** Hosts that owe something at one time, in a process without Redis. */
const MAX_HOSTS = 10_000;

/**
 * Counts for each key how much time it owes; a debt runs off by itself, a second each second. It mirrors what sshd does
 * with PerSourcePenalties (sshd_config(5), OpenSSH 9.8 and later).
 */
export interface PenaltyClock {
  /** Adds `costMs` if the debt stays within `maxMs` then. @returns 0, or the ms to wait until it would */
  charge(key: string, costMs: number, maxMs: number): Promise<number>;
  /** Changes the debt by `deltaMs`, not below nothing and not above `maxMs`. */
  adjust(key: string, deltaMs: number, maxMs: number): Promise<void>;
}

/**
 * The debt is the key's remaining time to live, so that no clock but that of Redis matters. It is never more than the most
 * that is allowed, unless that clock was set back.
 */
const CHARGE = `
local owed = math.max(0, redis.call('PTTL', KEYS[1]))
if owed > tonumber(ARGV[2]) then
  owed = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], owed)
end
local debt = owed + tonumber(ARGV[1])
if debt > tonumber(ARGV[2]) then return debt - tonumber(ARGV[2]) end
redis.call('SET', KEYS[1], '', 'PX', debt)
return 0`;

const ADJUST = `
local debt = math.min(math.max(0, redis.call('PTTL', KEYS[1])) + tonumber(ARGV[1]), tonumber(ARGV[2]))
if debt > 0 then redis.call('SET', KEYS[1], '', 'PX', debt) else redis.call('DEL', KEYS[1]) end
return 0`;

export function createMemoryPenaltyClock(now: () => number = steadyNow): PenaltyClock {
  const debts = createExpiringMap<true>({ max: MAX_HOSTS, now });
  return {
    async charge(key, costMs, maxMs) {
      const debt = debts.ttl(key) + costMs;
      if (debt > maxMs) return debt - maxMs;
      debts.set(key, true, debt);
      return 0;
    },
    async adjust(key, deltaMs, maxMs) {
      const debt = Math.min(debts.ttl(key) + deltaMs, maxMs);
      if (debt > 0) debts.set(key, true, debt);
      else debts.delete(key);
    },
  };
}

/** Shared by all instances. @throws AppError store_unavailable */
export function createRedisPenaltyClock(redis: RedisConnections): PenaltyClock {
  const charge = defineScript(redis, CHARGE);
  const adjust = defineScript(redis, ADJUST);
  return {
    async charge(key, costMs, maxMs) {
      return Number(await charge([key], [Math.ceil(costMs), maxMs]));
    },
    async adjust(key, deltaMs, maxMs) {
      await adjust([key], [Math.ceil(deltaMs), maxMs]);
    },
  };
}
