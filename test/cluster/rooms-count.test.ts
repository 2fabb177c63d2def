import assert from 'node:assert/strict';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.ts';
import { ALL_DIALECTS_ENV, RECEIVERS } from '../support/dialects.ts';
import { isType, push } from '../support/echo.ts';
import { openMb } from '../support/mb.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { openSocket } from '../support/websocket.ts';

/** What one instance tells Redis takes so long, in ms: below the time that a join waits for it. */
const LAG_MS = 60;

describe('counting the members of rooms while Redis is far from one of two instances', () => {
  let redis: RedisServer;
  let proxy: CutProxy;
  let far: TestServer;
  let near: TestServer;
  let token: string;

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    proxy = await startCutProxy(Number(new URL(redis.url).port));
    far = await startServer({ ...ALL_DIALECTS_ENV, REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    near = await startServer({ ...ALL_DIALECTS_ENV, REDIS_URL: redis.url });
    for (const { url } of [far, near]) await until(async () => (await fetch(`${url}/readyz`)).ok);
    token = await createJwts({ secret: ALL_DIALECTS_ENV.JWT_SECRET }).issue({ userId: 'u', role: 'agent' });
    proxy.lag(LAG_MS);
  });
  after(async () => {
    proxy?.lag(0);
    await Promise.all([far?.stop(), near?.stop()]);
    await proxy?.stop();
    await redis?.stop();
  });

  const count = async (room: string) => (await push(near, room, { content: 1 })).body.clientCount;

  for (const [name, open] of Object.entries(RECEIVERS)) {
    it(`[WS-2] [SIO-10] whoever has been told that it is in, over ${name}, is counted on the other instance`, async () => {
      const room = `in-${name}`;
      const client = await open(far, room);
      assert.equal(await count(room), 1);
      await client.close();
    });
  }

  it('[WS-2] whoever has been told that it is out is counted no more', async () => {
    const nexus = await openSocket(`${far.url}/ws?token=${token}`);
    nexus.send({ action: 'subscribe', channel: 'out' });
    nexus.send({ action: 'unsubscribe', channel: 'out' });
    await nexus.next(isType('unsubscribed'));
    assert.equal(await count('out'), 0);

    const broker = await openMb(`${far.url}/mb?token=${token}`);
    await broker.subscribe('out');
    assert.equal(await count('out'), 1);
    await broker.ask('system.topic.unsubscribe', { topic: 'out' });
    assert.equal(await count('out'), 0);

    const socket = far.client().connect();
    await until(() => socket.connected);
    await socket.emitWithAck('join_room', { room: 'out', token });
    assert.equal(await count('out'), 1);
    await socket.emitWithAck('leave_room', { room: 'out' });
    assert.equal(await count('out'), 0);
  });

  it('[WS-1] the order of what a client gets stays as it was sent', async () => {
    const nexus = await openSocket(`${far.url}/ws?token=${token}`);
    for (const channel of ['a', 'b']) {
      nexus.send({ action: 'subscribe', channel });
      nexus.send({ action: 'publish', channel, payload: channel });
      nexus.send({ action: 'ping' });
    }
    await until(() => nexus.messages.filter(isType('pong')).length === 2);
    assert.deepEqual(
      nexus.messages.map(({ type, channel }) => [type, channel].filter(Boolean).join(' ')),
      ['connected', 'subscribed a', 'message a', 'pong', 'subscribed b', 'message b', 'pong'],
    );
  });
});
