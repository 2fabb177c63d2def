import type { RedisConnections } from '../../server/redis/connections.ts';
import {
  createRedisSessionStore,
  type FullSessionStore,
  type SessionStoreOptions,
} from '../../server/sessions/session-store.ts';
import { connectRedis, type RedisServer } from './redis.ts';

/** Where the stores of one test live. */
export interface SessionPlace {
  /** A store of one more instance in the same cluster (in memory: the same one, since there is no cluster). */
  open(options?: Partial<SessionStoreOptions>): FullSessionStore;
  close(): Promise<void>;
}

/** Stores over a real Redis, with connections of their own, as another instance of the gateway has them. */
export async function redisPlace(server: RedisServer): Promise<SessionPlace & { redis: RedisConnections }> {
  const redis = await connectRedis(server);
  const stores: FullSessionStore[] = [];
  return {
    redis,
    open(options = {}) {
      const store = createRedisSessionStore({ redis, secrets: ['a secret for the tests'], ...options });
      stores.push(store);
      return store;
    },
    async close() {
      for (const store of stores) await store.stop();
      await redis.stop();
    },
  };
}
