import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { requirePart } from '../support/parts.ts';
import { startRedis, startSentinels } from '../support/redis.ts';

describe('redis servers of the tests', () => {
  before(function () {
    requirePart(this, 'redis-server');
  });

  it('answer, and forget everything when they are killed', async () => {
    const redis = await startRedis();
    try {
      await redis.cli('set', 'a', '1');
      assert.equal(await redis.cli('get', 'a'), '1');
      await redis.kill();
      await assert.rejects(redis.cli('ping'), /Connection refused/);
      await redis.restart();
      assert.equal(await redis.cli('get', 'a'), '');
    } finally {
      await redis.stop();
    }
    assert.equal(existsSync(redis.dir), false);
  });

  it('keep their data where they are told to save it', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    try {
      await redis.cli('set', 'a', '1');
      await redis.kill();
      await redis.restart();
      assert.equal(await redis.cli('get', 'a'), '1');
    } finally {
      await redis.stop();
    }
  });

  it('speak TLS and ask for a password', async () => {
    const redis = await startRedis({ tls: true, password: 'p/ss word' });
    try {
      assert.match(redis.url, /^rediss:\/\/:p%2Fss%20word@127\.0\.0\.1:\d+$/);
      assert.equal(await redis.cli('ping'), 'PONG');
    } finally {
      await redis.stop();
    }
  });

  it('fail over with sentinels', async function () {
    this.timeout(60_000);
    const group = await startSentinels();
    try {
      const [first, second] = group.servers;
      await first.cli('set', 'a', '1');
      assert.equal(await first.cli('wait', '1', '5000'), '1');
      await group.failover();
      assert.equal(await group.primary(), second);
      assert.equal(await second.cli('get', 'a'), '1');
    } finally {
      await group.stop();
    }
  });
});
