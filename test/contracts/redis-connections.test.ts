import assert from 'node:assert/strict';
import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import { defineScript } from '../../server/redis/script.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger, type RecordLogger } from '../support/record-logger.ts';
import { freePort, type RedisServer, startRedis, startSentinels } from '../support/redis.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

/** A command may take this long, ms, whatever Redis does; a little more for a busy machine. */
const COMMAND_MAX = 1900;

/** A fail-over of a primary that hangs, as one client sees it. */
async function followFailOver(): Promise<void> {
  const sentinels = await startSentinels({ downAfterMs: 1000 });
  const redis = createRedis({ url: sentinels.url, logger: createRecordLogger() });
  try {
    await until(() => redis.isUp());
    await redis.run((client) => client.set('before', '1'));
    await redis.run((client) => client.wait(1, 1000));
    const old = await sentinels.primary();
    old.freeze();
    await until(
      async () => (await redis.run((client) => client.set('after', '1')).catch(() => null)) === 'OK',
      15_000,
    );
    assert.equal(await redis.run((client) => client.get('before')), '1');
    old.thaw();
    await until(async () => (await old.cli('ROLE').catch(() => '')).startsWith('slave'), 30_000);
    assert.equal(await redis.run((client) => client.set('later', '1')), 'OK');
  } finally {
    await redis.stop();
    await sentinels.stop();
  }
}

describe('redis connections', () => {
  let server: RedisServer;
  let logger: RecordLogger;
  let opened: RedisConnections[];
  /** Takes long, so that it goes on beside the other tests. */
  let failOver: Promise<void>;

  before(async function () {
    requirePart(this, 'redis-server');
    requirePart(this, 'redis-sentinel');
    failOver = followFailOver();
    failOver.catch(() => {});
    server = await startRedis({ password: 'canary%pass' });
  });
  beforeEach(() => {
    logger = createRecordLogger();
    opened = [];
  });
  afterEach(async () => {
    server.thaw();
    await Promise.all(opened.map((redis) => redis.stop()));
  });

  function open(url = server.url): RedisConnections {
    const redis = createRedis({ url, logger });
    opened.push(redis);
    return redis;
  }

  async function assertUnavailable(redis: RedisConnections): Promise<void> {
    const took = startStopwatch();
    await assert.rejects(
      redis.run((client) => client.set('x', '1')),
      { code: 'store_unavailable' },
    );
    assert.ok(took() < COMMAND_MAX, `took ${took()} ms`);
  }

  it('runs commands at once, even those given before the connection stands', async () => {
    const redis = open();
    assert.equal(await redis.run((client) => client.ping()), 'PONG');
    assert.equal(redis.isUp(), true);
    assert.ok((await redis.ping()) < 1000);
    assert.equal(redis.health().up, true);
  });

  it('starts without Redis, says so once without the password, and comes up by itself', async () => {
    const late = await startRedis({ password: 'canary%pass' });
    await late.kill();
    const redis = open(late.url);
    await assertUnavailable(redis);
    await until(() => logger.lines.length > 0);
    await late.restart();
    await until(() => redis.isUp(), 8000);
    assert.equal(await redis.run((client) => client.ping()), 'PONG');
    await until(() => logger.lines.length === 2);
    assert.match(logger.lines[0] ?? '', /^warn redis down.*ECONNREFUSED/);
    assert.match(logger.lines[1] ?? '', /^info redis up/);
    assert.ok(!logger.lines.join().includes('canary'));
    await late.stop();
  });

  it('[R7] fails in time while Redis hangs with its sockets open, and recovers', async () => {
    const redis = open();
    await redis.ping();
    const downs: number[] = [];
    const stopListening = redis.onDown(() => downs.push(Date.now()));
    server.freeze();
    await assertUnavailable(redis);
    await until(() => !redis.isUp(), 4000);
    await assertUnavailable(redis);
    // Long enough for the dead socket to be dropped and for a reconnect that hangs in its handshake.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await assertUnavailable(redis);
    server.thaw();
    await until(() => redis.isUp(), 5000);
    assert.equal(await redis.run((client) => client.ping()), 'PONG');
    assert.equal(downs.length, 1);
    stopListening();
  });

  it('takes no reply for late that has come while this process was busy', async () => {
    const redis = open();
    await redis.ping();
    const answers = Promise.all(
      Array.from({ length: 100 }, () => redis.run((client) => client.echo('x'.repeat(100_000)))),
    );
    // The commands are on their way.
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
    assert.equal((await answers).length, 100);
  });

  it('keeps no command for later that it reported as failed', async () => {
    const own = await startRedis();
    const redis = open(own.url);
    await redis.ping();
    await own.kill();
    await assertUnavailable(redis);
    await own.restart();
    await until(() => redis.isUp(), 8000);
    assert.equal(await redis.run((client) => client.exists('x')), 0);
    await own.stop();
  });

  it('[R9] subscribes again after its connection was killed or hung', async () => {
    const redis = open();
    const subscriber = redis.subscriber();
    const heard: string[] = [];
    subscriber.on('message', (_channel, message) => heard.push(message));
    await subscriber.subscribe('news');
    const hears = async (word: string): Promise<void> =>
      until(async () => {
        await redis.run((client) => client.publish('news', word)).catch(() => undefined);
        return heard.includes(word);
      }, 10_000);
    await hears('one');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await hears('two');
    server.freeze();
    await until(() => subscriber.status !== 'ready', 6000);
    server.thaw();
    await hears('three');
    assert.ok(!logger.lines.join().includes('Unhandled'));
  });

  it('keeps an idle subscriber and a blocking reader connected', async () => {
    const redis = open();
    const subscriber = redis.subscriber();
    await subscriber.subscribe('quiet');
    const blocking = redis.blocking();
    let closes = 0;
    for (const client of [subscriber, blocking]) client.on('close', () => (closes += 1));
    await until(() => blocking.status === 'ready');
    const reads = [];
    for (let n = 0; n < 2; n += 1) reads.push(await blocking.xread('BLOCK', 2000, 'STREAMS', 'nothing', '$'));
    assert.deepEqual(reads, [null, null]);
    assert.equal(closes, 0);
  });

  it('gives a blocking read up when Redis hangs', async () => {
    const redis = open();
    const blocking = redis.blocking();
    await until(() => blocking.status === 'ready');
    const read = blocking.xread('BLOCK', 1000, 'STREAMS', 'nothing', '$');
    server.freeze();
    await assert.rejects(read);
    server.thaw();
    await until(() => blocking.status === 'ready', 8000);
  });

  it('runs a script by its hash, also in a Redis that does not know it', async () => {
    const redis = open();
    const add = defineScript(redis, "return redis.call('INCRBY', KEYS[1], ARGV[1])");
    await server.cli('SCRIPT', 'FLUSH');
    const sums = await Promise.all([add(['sum'], [1]), add(['sum'], [2]), add(['sum'], [3])]);
    assert.equal(Math.max(...sums.map(Number)), 6);
    assert.equal(await add(['sum'], [4]), 10);
    const wrong = defineScript(redis, 'return nonsense(');
    await assert.rejects(
      wrong([], []),
      (error: Error) => !('code' in error) && /refused/.test(error.message),
    );
  });

  it('fails with a wrong password without telling it', async () => {
    const redis = open(`redis://:canary-wrong@127.0.0.1:${server.port}`);
    await assertUnavailable(redis);
    await until(() => logger.lines.some((line) => line.includes('WRONGPASS')));
    assert.ok(!logger.lines.join().includes('canary'));
  });

  it('stops in every state, twice, and says nothing more', async () => {
    const up = open();
    await up.ping();
    up.subscriber();
    up.blocking();
    const down = open(`redis://127.0.0.1:${await freePort()}`);
    const hung = open();
    await hung.ping();
    const waiting = down.run((client) => client.ping());
    server.freeze();
    const took = startStopwatch();
    await Promise.all([
      assert.rejects(waiting),
      ...[up, down, hung].flatMap((redis) => [redis.stop(), redis.stop()]),
    ]);
    assert.ok(took() < 2500);
    await assert.rejects(
      up.run((client) => client.ping()),
      { code: 'store_unavailable' },
    );
  });

  it('speaks TLS and verifies the certificate', async () => {
    const secure = await startRedis({ tls: true });
    await assertUnavailable(open(secure.url));
    await until(() => /certificate/.test(logger.lines.join()));
    assert.equal(await open(`${secure.url}?tlsVerify=0`).run((client) => client.ping()), 'PONG');
    await secure.stop();
  });

  it('[R8] follows a primary that hangs and comes back as a replica', () => failOver);
});
