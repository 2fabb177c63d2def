import assert from 'node:assert/strict';
import { AppError } from '../../server/core/errors.ts';
import { createRateLimit } from '../../server/http/rate-limit.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';

async function refused(use: Promise<void>): Promise<AppError> {
  try {
    await use;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, 'rate_limited');
    return error;
  }
  assert.fail('the limit let it through');
}

describe('rate limit', () => {
  let server: RedisServer;
  let instances: RedisConnections[];
  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    instances = [await connectRedis(server), await connectRedis(server)];
  });
  after(async () => {
    await Promise.all((instances ?? []).map((instance) => instance.stop()));
    await server?.stop();
  });

  const forms = {
    memory: () => ({}),
    redis: () => {
      const [first] = instances;
      return first ? { redis: first.commands } : {};
    },
  };
  for (const [form, options] of Object.entries(forms)) {
    it(`[HTTP-2] lets so many uses a minute through for each key, and says when the next one may come (${form})`, async () => {
      const limit = createRateLimit({ name: `each-${form}`, perMinute: 3, ...options() });
      for (let i = 0; i < 3; i += 1) await limit.use('192.0.2.1');
      const { retryAfterMs = 0 } = await refused(limit.use('192.0.2.1'));
      assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000, String(retryAfterMs));
      await limit.use('2001:db8::1');
    });

    it(`[HTTP-2] takes the addresses of one IPv6 network for one client (${form})`, async () => {
      const limit = createRateLimit({ name: `v6-${form}`, perMinute: 2, ...options() });
      await limit.use('2001:db8::1');
      await limit.use('2001:db8::2');
      await refused(limit.use('2001:db8::3'));
      await limit.use('2001:db8:0:1::1');
    });
  }

  it('[HTTP-2] counts for all instances together', async () => {
    const limits = instances.map(({ commands }) =>
      createRateLimit({ name: 'shared', perMinute: 4, redis: commands }),
    );
    for (let i = 0; i < 4; i += 1) await limits[i % 2]?.use('192.0.2.1');
    for (const limit of limits) await refused(limit.use('192.0.2.1'));
  });

  it('[HTTP-2] [R14] lasts no hour where the clock of Redis was set back', async () => {
    const [first] = instances;
    const limit = createRateLimit({
      name: 'clock',
      perMinute: 2,
      ...(first ? { redis: first.commands } : {}),
    });
    for (let n = 0; n < 2; n += 1) await limit.use('192.0.2.1');
    await refused(limit.use('192.0.2.1'));
    for (const key of (await server.cli('KEYS', '*clock*')).split('\n'))
      await server.cli('PEXPIRE', key, '3660000');
    await limit.use('192.0.2.1');
  });

  it('[HTTP-2] does not open while Redis is away: each instance then counts for itself', async () => {
    const [first] = instances;
    const limit = createRateLimit({
      name: 'outage',
      perMinute: 2,
      ...(first ? { redis: first.commands } : {}),
    });
    await server.kill();
    try {
      await limit.use('192.0.2.1');
      await limit.use('192.0.2.1');
      await refused(limit.use('192.0.2.1'));
    } finally {
      await server.restart();
    }
  });
});
