import { setInterval } from 'node:timers';
import type { Logger } from '../core/types.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import type { Lease, LeaseManager } from './types.ts';

/**
 * Life of a lease without renewal, in ms. A dead holder is replaced after at most this plus one look of another instance.
 * It may be this short because a holder that lost it without noticing is fenced off by the store [LOG-3].
 */
const LEASE_MS = 1600;
/** Renewal, in ms: three in a row may fail. */
const RENEW_MS = 400;

/**
 * KEYS lease, fence counter. ARGV instance, life. A lease that would live for longer than that was given by a clock that
 * was ahead (it was set back since, or is another server's after a fail-over): it gets its life from now on, so that a dead
 * holder is not waited for. The fence never falls below the server's clock in microseconds (which
 * doubles hold exactly): a store that came back empty cannot hand out an old one again.
 */
const ACQUIRE = `
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then
  if left < 0 or left > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return '0'
end
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local fence = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, clock))
redis.call('SET', KEYS[2], fence, 'EX', 86400)
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return fence`;

/** KEYS lease. ARGV value, life. A lease that vanished with the store's data is the holder's again; another's is not. */
const RENEW = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** KEYS lease. ARGV value. */
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

interface Held {
  lease: Lease;
  value: string;
  /** performance.now() until which it is certainly held. */
  until: number;
  lose(): void;
}

function everyMs(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

/** Leases in Redis, renewed together while held. */
export function createRedisLeases(deps: {
  redis: RedisConnections;
  instanceId: string;
  logger: Logger;
  /** Calls `run` every `ms` until the answer is called; a test lets time stand still with it. */
  every?: (ms: number, run: () => void) => () => void;
}): LeaseManager {
  const { every = everyMs } = deps;
  const acquire = defineScript(deps.redis, ACQUIRE);
  const renew = defineScript(deps.redis, RENEW);
  const release = defineScript(deps.redis, RELEASE);
  const held = new Set<Held>();

  async function renewOne(entry: Held): Promise<void> {
    const asked = performance.now();
    try {
      const answer = await renew([keys.lease(entry.lease.name)], [entry.value, LEASE_MS]);
      if (answer === 1) entry.until = asked + LEASE_MS;
      else entry.lose();
    } catch {
      // Redis is away: held until it would have expired there.
    }
  }

  const stopRenewing = every(RENEW_MS, () => {
    for (const entry of held) {
      // After a freeze of the process this comes before anything else is done with the lease.
      if (performance.now() >= entry.until) entry.lose();
      else void renewOne(entry);
    }
  });

  return {
    async acquire(name) {
      const asked = performance.now();
      const fence = Number(
        await acquire([keys.lease(name), keys.leaseFence(name)], [deps.instanceId, LEASE_MS]),
      );
      if (fence === 0) return null;
      const controller = new AbortController();
      const entry: Held = {
        value: `${fence}:${deps.instanceId}`,
        until: asked + LEASE_MS,
        lose() {
          if (!held.delete(entry)) return;
          deps.logger.info('lease lost', { lease: name, fence });
          controller.abort();
        },
        lease: {
          name,
          fence,
          lost: controller.signal,
          async release() {
            if (!held.delete(entry)) return;
            controller.abort();
            // Not reaching Redis only means that the others wait until it expires.
            await release([keys.lease(name)], [entry.value]).catch(() => {});
          },
        },
      };
      held.add(entry);
      return entry.lease;
    },
    async stop() {
      stopRenewing();
      await Promise.all([...held].map((entry) => entry.lease.release()));
    },
  };
}
