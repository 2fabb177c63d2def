import assert from 'node:assert/strict';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { createFieldLeases } from '../../server/redis/field-leases.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

describe('fields that end by themselves', () => {
  let server: RedisServer;
  let redis: RedisConnections;

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    redis = await connectRedis(server);
  });
  after(async () => {
    await redis?.stop();
    await server?.stop();
  });

  const read = async (key: string) => Object.fromEntries(await createFieldLeases(redis).read(key));

  it('are there for their life, whatever their text, and then leave nothing', async () => {
    const fields = createFieldLeases(redis);
    const texts = [
      ['one', 'a text\nof 2 lines'],
      ['two', '{}'],
    ] as const;
    await fields.put('a', texts, 400);
    await fields.put('b', [['one', 'other']], 60_000);
    assert.deepEqual(await read('one'), { a: 'a text\nof 2 lines', b: 'other' });
    await until(async () => (await server.cli('EXISTS', 'two')) === '0', 2000);
    assert.deepEqual(await read('one'), { b: 'other' });
    await fields.put('b', [['one', '']], 60_000);
    assert.equal(await server.cli('EXISTS', 'one'), '0');
  });

  it('[R14] do not stay for an hour more where the clock of redis was set back', async () => {
    await createFieldLeases(redis).put('dead', [['three', 'member']], 500);
    const [ends = '', ...rest] = (await server.cli('HGET', 'three', 'dead')).split(' ');
    await server.cli('HSET', 'three', 'dead', [Number(ends) + 3_600_000, ...rest].join(' '));
    await server.cli('PEXPIRE', 'three', '3600000');
    assert.deepEqual(await read('three'), { dead: 'member' });
    await until(async () => Object.keys(await read('three')).length === 0, 2000);
  });
});
