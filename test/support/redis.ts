import * as lab from '../../scripts/lab/redis.ts';
import { atEnd } from './at-end.ts';

export { freePort, type RedisServer, type Sentinels } from '../../scripts/lab/redis.ts';

/** Starts a redis-server and waits until it answers. It ends with this process, and at the latest by the root hook. */
export async function startRedis(options?: lab.RedisOptions): Promise<lab.RedisServer> {
  const server = await lab.startRedis(options);
  atEnd(server.stop);
  return server;
}

/** Starts a primary, a replica and three sentinels, and waits until a fail-over is possible. They end as `startRedis`'. */
export async function startSentinels(options?: lab.SentinelOptions): Promise<lab.Sentinels> {
  const sentinels = await lab.startSentinels(options);
  atEnd(sentinels.stop);
  return sentinels;
}
