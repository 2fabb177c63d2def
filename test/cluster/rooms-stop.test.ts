import assert from 'node:assert/strict';
import { HMAC_SECRET, isType, knock, postJson, roomToken } from '../support/echo.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { makeRoomsDir } from '../support/rooms-dir.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** A room whose handler takes its time, and tells when it has begun. */
const SLOW = `let begun = 0;
  const work = async () => { begun += 1; await new Promise((go) => setTimeout(go, 700)); };
  export default class {
    requiresAuth = true;
    onMessage() { return work(); }
    onHttpPost() { return work(); }
    getRoutes() { return [{ method: 'GET', path: '/begun', open: true, handler: () => ({ body: begun }) }]; }
  }`;

describe('rooms while one of two instances stops', () => {
  let redis: RedisServer;
  let one: TestServer;
  let two: TestServer;

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    const env = { HMAC_SECRET, REDIS_URL: redis.url, ROOMS_DIR: makeRoomsDir({ 'slow.mjs': SLOW }) };
    one = await startServer(env);
    two = await startServer(env);
    for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
  });
  after(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    await redis?.stop();
  });

  it('[RUN-5] [WS-2] a push and a message that its handler is busy with are delivered before it ends', async () => {
    const token = roomToken('slow');
    const listener = await knock(two, `/slow?token=${token}`);
    await listener.next(isType('welcome'));
    const talker = await knock(one, `/slow?token=${token}`);
    await talker.next(isType('welcome'));

    talker.send({ content: 'message' });
    const pushed = postJson(one, '/slow/postcontent', { content: 'push' }, token);
    await until(async () => (await (await fetch(`${one.url}/slow/begun`)).json()) === 2);
    const stopped = one.stop();
    const { status, body } = await pushed;
    assert.deepEqual([status, body.success], [200, true]);
    await stopped;
    assert.equal(talker.closed?.code, 1001);
    await until(() => listener.messages.filter(isType('message')).length === 2);
    assert.deepEqual(
      listener.messages
        .filter(isType('message'))
        .map(({ content }) => content)
        .sort(),
      ['message', 'push'],
    );
  });
});
