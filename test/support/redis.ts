import * as lab from '../../scripts/lab/redis.ts';
import type { Logger } from '../../server/core/types.ts';
import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import { atEnd } from './at-end.ts';
import { createRecordLogger } from './record-logger.ts';
import { until } from './until.ts';

export { freePort, type RedisServer, type Sentinels } from '../../scripts/lab/redis.ts';

/** Starts a redis-server and waits until it answers. It ends with this process, and at the latest by the root hook. */
export async function startRedis(options?: lab.RedisOptions): Promise<lab.RedisServer> {
  const server = await lab.startRedis(options);
  atEnd(server.stop);
  return server;
}

/**
 * The connections of one instance, which stand: while they are set up a command waits for a moment only, which may not be
 * enough where the machine is busy.
 */
export async function connectRedis(
  { url }: { url: string },
  logger: Logger = createRecordLogger(),
): Promise<RedisConnections> {
  const redis = createRedis({ url, logger });
  await until(() => redis.isUp());
  return redis;
}

/** Starts a primary, a replica and three sentinels, and waits until a fail-over is possible. They end as `startRedis`'. */
export async function startSentinels(options?: lab.SentinelOptions): Promise<lab.Sentinels> {
  const sentinels = await lab.startSentinels(options);
  atEnd(sentinels.stop);
  return sentinels;
}
