import assert from 'node:assert/strict';
import { createSilentLogger } from '../../server/core/logger.ts';
import { sleep } from '../../server/core/sleep.ts';
import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { openSocket } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';
/** Messages of one run, and ms between them. */
const MESSAGES = 600;
const EVERY_MS = 4;

describe('rooms while the pub/sub connections of two instances are cut', () => {
  let redis: RedisServer;
  let admin: RedisConnections;
  let one: TestServer;
  let two: TestServer;

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    admin = createRedis({ url: redis.url, logger: createSilentLogger() });
    const env = { JWT_SECRET, REDIS_URL: redis.url, MESSAGE_RATE: '10000' };
    one = await startServer(env);
    two = await startServer(env);
    for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
  });
  after(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    await admin?.stop();
    await redis?.stop();
  });

  it('[WS-6] every message arrives on the other instance, once and in order', async () => {
    const token = await createJwts({ secret: JWT_SECRET }).issue({ userId: 'u', role: 'agent' });
    const [publisher, reader] = await Promise.all(
      [one, two].map(({ url }) => openSocket(`${url}/ws?token=${token}`)),
    );
    assert.ok(publisher && reader);
    reader.send({ action: 'subscribe', channel: 'numbers' });
    await reader.next(({ type }) => type === 'subscribed');
    publisher.send({ action: 'publish', channel: 'numbers', payload: 0 });
    await reader.next(({ data }) => data === 0);
    let killed = 0;
    for (let n = 1; n < MESSAGES; n += 1) {
      publisher.send({ action: 'publish', channel: 'numbers', payload: n });
      if (n % 150 === 0) killed += Number(await admin.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      await sleep(EVERY_MS);
    }
    assert.ok(killed >= 6, `${killed} connections were cut`);
    const numbers = () => reader.messages.filter(({ type }) => type === 'message').map(({ data }) => data);
    await until(() => numbers().length >= MESSAGES, 10_000);
    assert.deepEqual(numbers(), [...Array(MESSAGES).keys()]);
    await Promise.all([publisher.close(), reader.close()]);
  });
});
