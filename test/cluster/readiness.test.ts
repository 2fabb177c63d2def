import assert from 'node:assert/strict';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

describe('readiness of an instance', () => {
  let redis: RedisServer;
  let server: TestServer;

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    server = await startServer({ REDIS_URL: redis.url });
  });
  after(async () => {
    await server?.stop();
    await redis?.stop();
  });

  const readyz = async () => (await fetch(`${server.url}/readyz`)).status;

  it('[HTTP-1] is there once a message has gone round through Redis', async () => {
    await until(async () => (await readyz()) === 200);
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  });

  it('[HTTP-1] goes within 15 s of a hang of Redis, and comes back by itself', async function () {
    this.timeout(40_000);
    redis.freeze();
    await until(async () => (await readyz()) === 503, 15_000);
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
    redis.thaw();
    await until(async () => (await readyz()) === 200, 15_000);
  });

  it('[HTTP-1] goes when pub/sub is silent although Redis answers', async function () {
    this.timeout(30_000);
    await redis.cli('ACL', 'SETUSER', 'default', 'resetchannels');
    await until(async () => (await readyz()) === 503, 15_000);
    await redis.cli('ACL', 'SETUSER', 'default', 'allchannels');
    await until(async () => (await readyz()) === 200, 15_000);
  });

  it('a start with Redis away waits for it, and serves when it comes', async function () {
    this.timeout(30_000);
    await redis.kill();
    const early = await startServer({ REDIS_URL: redis.url });
    assert.equal((await fetch(`${early.url}/readyz`)).status, 503);
    const refused = await early.login({ demo: true }).then(
      () => 'logged in',
      (error: Error) => error.message,
    );
    assert.match(refused, /503.*store_unavailable/);
    await redis.restart();
    await until(async () => (await fetch(`${early.url}/readyz`)).status === 200, 15_000);
    assert.ok((await early.login({ demo: true })).token);
    await early.stop();
  });
});
