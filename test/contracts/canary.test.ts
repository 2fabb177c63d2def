import { createCanary } from '../../server/redis/canary.ts';
import { createRedis } from '../../server/redis/connections.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

describe('the canary of pub/sub', () => {
  it('[HTTP-1] is heard as soon as the connections stand, not a second later', async function () {
    requirePart(this, 'redis-server');
    const server = await startRedis();
    const logger = createRecordLogger();
    const redis = createRedis({ url: server.url, logger });
    const [publisher, subscriber] = [redis.duplicate('commands'), redis.subscriber()];
    const canary = createCanary({ publisher, subscriber, logger });
    try {
      await until(() => publisher.status === 'ready' && subscriber.status === 'ready');
      await until(() => canary.alive(), 500);
    } finally {
      await canary.stop();
      await redis.stop();
      await server.stop();
    }
  });
});
