import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';

/** How long a push is remembered, in ms: senders try again within seconds, and its timestamp is good for less. */
export const REMEMBER_MS = 600_000;
/** Pushes remembered in memory; Redis bounds them by time alone. */
const REMEMBERED_MAX = 100_000;

/** Remembers pushes by the name that their sender gave them, so that a repeated one is not delivered again. */
export interface ReplayGuard {
  /** @returns whether it is new @throws AppError store_unavailable */
  claim(room: string, id: string): Promise<boolean>;
  /** Forgets one that was not delivered after all, so that it may be tried again. Never fails. */
  release(room: string, id: string): Promise<void>;
}

export function createMemoryReplayGuard(options: { now?: () => number } = {}): ReplayGuard {
  const { now = steadyNow } = options;
  /** When each ends, oldest first: all live equally long. */
  const claims = new Map<string, number>();
  const nameOf = (room: string, id: string) => JSON.stringify([room, id]);
  return {
    async claim(room, id) {
      for (const [name, until] of claims) {
        if (until > now() && claims.size <= REMEMBERED_MAX) break;
        claims.delete(name);
      }
      const name = nameOf(room, id);
      if (claims.has(name)) return false;
      claims.set(name, now() + REMEMBER_MS);
      return true;
    },
    async release(room, id) {
      claims.delete(nameOf(room, id));
    },
  };
}

export function createRedisReplayGuard(deps: { redis: RedisConnections }): ReplayGuard {
  const { redis } = deps;
  return {
    async claim(room, id) {
      const answer = await redis.run((client) =>
        client.set(keys.roomPush(room, id), '1', 'PX', REMEMBER_MS, 'NX'),
      );
      return answer === 'OK';
    },
    async release(room, id) {
      await redis.run((client) => client.del(keys.roomPush(room, id))).catch(() => {});
    },
  };
}
