import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import type { RedisConnections } from '../redis/connections.ts';

/** `retryMs` until it may be tried again. `busy`: not failures but attempts still under way use the budget up. */
export type BudgetAnswer = { ok: true } | { ok: false; retryMs: number; busy: boolean };

/**
 * So many points of failure within a time, for each key. Points are taken before an attempt and given back after a
 * success: a limit that is looked at first and counted afterwards lets a burst of parallel attempts through.
 */
export interface FailureBudget {
  take(key: string, points: number): Promise<BudgetAnswer>;
  /** Ends what `take` began: `taken` points were reserved, `cost` were deserved. */
  settle(key: string, taken: number, cost: number): Promise<void>;
}

/** Shared by all instances through Redis; while that is away each instance counts for itself, so the limit never opens. */
export function createFailureBudget(options: {
  points: number;
  durationS: number;
  redis?: RedisConnections;
}): FailureBudget {
  const { points, durationS, redis } = options;
  // Whole key names come from server/redis/keys.ts.
  const limits = { points, duration: durationS, keyPrefix: '' };
  const memory = new RateLimiterMemory(limits);
  const limiter: RateLimiterAbstract = redis
    ? new RateLimiterRedis({
        ...limits,
        storeClient: redis.commands,
        rejectIfRedisNotReady: true,
        insuranceLimiter: memory,
      })
    : memory;
  /** Beside the points taken stand those deserved: the difference are attempts under way anywhere in the cluster. */
  const failuresOf = (key: string): string => `${key}:failed`;

  return {
    async take(key, wanted) {
      try {
        await limiter.consume(key, wanted);
        return { ok: true };
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        if (error.msBeforeNext > durationS * 1000) {
          // The clock of Redis was set back: nobody waits for that long.
          await Promise.all([limiter.delete(key), limiter.delete(failuresOf(key))]);
          await limiter.consume(key, wanted);
          return { ok: true };
        }
        await limiter.reward(key, wanted);
        const failures = (await limiter.get(failuresOf(key)))?.consumedPoints ?? 0;
        return { ok: false, retryMs: error.msBeforeNext, busy: failures + wanted <= points };
      }
    },
    async settle(key, taken, cost) {
      if (cost > 0) await limiter.penalty(failuresOf(key), cost);
      if (cost < taken) await limiter.reward(key, taken - cost);
      if (cost > taken) await limiter.penalty(key, cost - taken);
    },
  };
}
