import { createHash } from 'node:crypto';
import type { RedisConnections } from './connections.ts';

/** A script ready to run: keys and arguments in, Redis' reply out. @throws AppError store_unavailable */
export type Script = (
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

/**
 * Makes a Lua script callable. It is sent by its hash and in full only where Redis does not know it (first use, restart,
 * fail-over). Names and user text go in as KEYS and ARGV, never into the text.
 */
export function defineScript(redis: RedisConnections, lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  return (keys, args) =>
    redis.run(async (client) => {
      try {
        return await client.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return client.eval(lua, keys.length, ...keys, ...args);
      }
    });
}
