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
    const canary = createCanary({
      publisher: redis.duplicate('commands'),
      subscriber: redis.subscriber(),
      logger,
    });
    try {
      await until(() => canary.alive(), 900);
    } finally {
      await canary.stop();
      await redis.stop();
      await server.stop();
    }
  });
});
