import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { addressGroup } from '../core/client-address.ts';
import { AppError } from '../core/errors.ts';
import { keys } from '../redis/keys.ts';
import type { RateLimit } from './types.ts';

const MINUTE_S = 60;

/**
 * A limit of `perMinute` uses for one client address (IPv6: its /64), counted in minutes that begin with a first use. With a
 * Redis client it counts for the whole cluster [HTTP-2]; while Redis is away each instance counts for itself: neither does
 * the limit open, nor is anybody locked out.
 */
export function createRateLimit(options: { name: string; perMinute: number; redis?: object }): RateLimit {
  const limits = { points: options.perMinute, duration: MINUTE_S, keyPrefix: keys.rateLimit(options.name) };
  const memory = new RateLimiterMemory(limits);
  const limiter = options.redis
    ? new RateLimiterRedis({ ...limits, storeClient: options.redis, insuranceLimiter: memory })
    : memory;
  return {
    async use(address) {
      const key = addressGroup(address);
      try {
        await limiter.consume(key);
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        const retryAfterMs = error.msBeforeNext;
        if (retryAfterMs <= MINUTE_S * 1000) throw new AppError('rate_limited', { retryAfterMs });
        // The clock of Redis was set back: nobody waits for that long.
        await limiter.delete(key);
      }
    },
  };
}
