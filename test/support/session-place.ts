import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import {
  createRedisSessionStore,
  type FullSessionStore,
  type SessionStoreOptions,
} from '../../server/sessions/session-store.ts';
import { createRecordLogger } from './record-logger.ts';
import type { RedisServer } from './redis.ts';

/** Where the stores of one test live. */
export interface SessionPlace {
  /** A store of one more instance in the same cluster (in memory: the same one, since there is no cluster). */
  open(options?: Partial<SessionStoreOptions>): FullSessionStore;
  close(): Promise<void>;
}

/** Stores over a real Redis, with connections of their own, as another instance of the gateway has them. */
export function redisPlace(server: RedisServer): SessionPlace & { redis: RedisConnections } {
  const redis = createRedis({ url: server.url, logger: createRecordLogger() });
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
