import assert from 'node:assert/strict';
import { createMemoryLeases, createMemoryStreams } from '../../server/cluster/memory.ts';
import { createRedisLeases } from '../../server/cluster/redis-leases.ts';
import { createRedisStreams } from '../../server/cluster/redis-streams.ts';
import {
  type Lease,
  type LeaseManager,
  STREAM_MAX_BYTES,
  type StreamBatch,
  type StreamHead,
  type StreamStore,
} from '../../server/cluster/types.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { keys } from '../../server/redis/keys.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import {
  appendAll,
  batchAfter,
  beginStream,
  type Following,
  follow,
  gets,
  headOf,
  ownStream,
  type StreamKind,
} from '../support/streams.ts';
import { until } from '../support/until.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function followContract({ leases, store }: StreamKind): void {
  const beginOwn = (stream: string, epoch?: string) => beginStream(leases(), store(), stream, epoch);

  it('[LOG-2] hands a follower every batch behind its place, in order, once', async () => {
    const [lease, head] = await beginOwn('s');
    const [first, ...rest] = await appendAll(store(), 's', lease, head, [1, 2, 3]);
    assert.ok(first);
    const [early, late] = [follow(store(), 's', head), follow(store(), 's', headOf(first))];
    await gets(early, [first, ...rest]);
    await gets(late, rest);
    let at = headOf(rest[1] ?? first);
    for (let n = 0; n < 30; n++) {
      const [batch] = await appendAll(store(), 's', lease, at, [1 + (n % 3)]);
      assert.ok(batch);
      rest.push(batch);
      at = headOf(batch);
      if (n % 5 === 0) await turn();
    }
    await gets(early, [first, ...rest]);
    await gets(late, rest);
    assert.deepEqual([early.resets, late.resets], [0, 0]);
  });

  it('hands over more at once than one read takes', async () => {
    const [lease, head] = await beginOwn('s');
    const batches = await appendAll(store(), 's', lease, head, Array(350).fill(2));
    await gets(follow(store(), 's', head), batches);
  });

  it('hands nothing over to who has stopped', async () => {
    const [lease, head] = await beginOwn('s');
    const [gone, there] = [follow(store(), 's', head), follow(store(), 's', head)];
    const [first] = await appendAll(store(), 's', lease, head, [1]);
    assert.ok(first);
    await gets(gone, [first]);
    await gets(there, [first]);
    gone.stop();
    gone.stop();
    const [second] = await appendAll(store(), 's', lease, headOf(first), [1]);
    assert.ok(second);
    await gets(there, [first, second]);
    assert.deepEqual(gone.batches, [first]);
  });

  it('a follower that stops at its first batch gets no second', async () => {
    const [lease, head] = await beginOwn('s');
    await appendAll(store(), 's', lease, head, [1, 1, 1]);
    let calls = 0;
    const follower = store().follow('s', head, {
      onBatch() {
        calls++;
        follower.stop();
      },
      onReset: () => assert.fail('reset'),
    });
    const other = follow(store(), 's', head);
    await until(() => other.batches.length === 3);
    assert.equal(calls, 1);
  });

  it('[LOG-2] resets a follower when another epoch begins', async () => {
    const [lease, head] = await beginOwn('s');
    const [batch] = await appendAll(store(), 's', lease, head, [3]);
    assert.ok(batch);
    const following = follow(store(), 's', head);
    await gets(following, [batch]);
    const begun = await store().begin('s', lease, 'e2');
    assert.ok(begun !== 'fenced');
    await appendAll(store(), 's', lease, begun, [1, 1]);
    await until(() => following.resets === 1);
    await appendAll(store(), 's', lease, { ...begun, seq: begun.seq + 2 }, [1]);
    await turn();
    assert.deepEqual([following.batches.length, following.resets], [1, 1]);
  });

  it('[LOG-2] resets a follower whose place was trimmed away', async () => {
    const [lease, head] = await beginOwn('s');
    const body = 'x'.repeat(STREAM_MAX_BYTES / 2);
    await appendAll(store(), 's', lease, head, [1, 1, 1], body);
    const following = follow(store(), 's', head);
    await until(() => following.resets === 1);
    assert.deepEqual(following.batches, []);
  });

  it('resets a follower that found no stream when there is one', async () => {
    const following = follow(store(), 's', null);
    const [lease, head] = await beginOwn('s');
    await turn();
    await appendAll(store(), 's', lease, head, [1]);
    await until(() => following.resets === 1);
    assert.deepEqual(following.batches, []);
  });

  it('keeps streams apart', async () => {
    const names = ['s', 's:1', 's*', '{s}'];
    const followings: Following[] = [];
    const all: StreamBatch[][] = [];
    for (const [index, name] of names.entries()) {
      const [lease, head] = await beginOwn(name, `epoch ${index}`);
      followings.push(follow(store(), name, head));
      all.push(await appendAll(store(), name, lease, head, [index + 1, 1]));
    }
    for (const [index, following] of followings.entries()) await gets(following, all[index] ?? []);
  });

  it('stop ends every follower, and may come twice', async () => {
    const [lease, head] = await beginOwn('s');
    const following = follow(store(), 's', head);
    const [batch] = await appendAll(store(), 's', lease, head, [1]);
    assert.ok(batch);
    await gets(following, [batch]);
    await store().stop();
    await store().stop();
    assert.deepEqual([following.batches.length, following.resets], [1, 0]);
  });
}

describe('followers of streams in memory', () => {
  let leases: LeaseManager;
  let store: StreamStore;
  let now: number;
  beforeEach(() => {
    now = 1_767_225_600_000;
    leases = createMemoryLeases();
    store = createMemoryStreams({ now: () => now });
  });
  afterEach(async () => {
    await store.stop();
    await leases.stop();
  });
  followContract({ leases: () => leases, store: () => store });
});

describe('followers of streams in redis', () => {
  let server: RedisServer;
  let redis: RedisConnections;
  let other: RedisConnections;
  let leases: LeaseManager;
  let store: StreamStore;
  let reader: StreamStore;

  before(async function () {
    requirePart(this, 'redis-server');
    // Data survives a restart unless a test deletes it.
    server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    await server.cli('FLUSHALL');
    const logger = createRecordLogger();
    redis = await connectRedis(server, logger);
    other = await connectRedis(server, logger);
    leases = createRedisLeases({ redis, instanceId: 'a', logger });
    store = createRedisStreams({ redis, logger });
    reader = createRedisStreams({ redis: other, logger });
  });
  afterEach(async () => {
    server.thaw();
    await Promise.all([store.stop(), reader.stop(), leases.stop()]);
    await Promise.all([redis.stop(), other.stop()]);
  });
  after(() => server?.stop());

  followContract({ leases: () => leases, store: () => store });

  const beginOwn = (stream: string, epoch?: string) => beginStream(leases, store, stream, epoch);

  it('another instance reads and follows the same', async () => {
    const [lease, head] = await beginOwn('s');
    const following = follow(reader, 's', head);
    const batches = await appendAll(store, 's', lease, head, [3, 1, 4]);
    await gets(following, batches);
    assert.deepEqual((await reader.read('s'))?.batches, batches);
  });

  it('[LOG-2] an owner finds out that the store lost its data, and followers start over', async () => {
    const [lease, head] = await beginOwn('s');
    const [batch] = await appendAll(store, 's', lease, head, [3]);
    assert.ok(batch);
    const following = follow(reader, 's', head);
    await gets(following, [batch]);
    await server.cli('FLUSHALL');
    assert.equal(await store.append('s', lease, batchAfter(headOf(batch))), 'rolled_back');
    // The lease comes back by its renewal.
    let begun: StreamHead | 'fenced' = 'fenced';
    await until(async () => {
      begun = await store.begin('s', lease, 'e2');
      return begun !== 'fenced';
    });
    assert.ok(begun !== 'fenced');
    const next: StreamHead = begun;
    assert.ok(next.seq > headOf(batch).seq);
    await appendAll(store, 's', lease, next, [1]);
    await until(() => following.resets === 1);
  });

  it('[LOG-2] [R14] a follower finds a stream that ended and began anew after the clock of redis was set back', async () => {
    const lease = await ownStream(leases, 's');
    // As a clock that is an hour ahead gives it.
    const ahead = Date.now() * 1000 + 3_600_000_000;
    await server.cli('HSET', keys.streamHead('s'), 'seq', String(ahead));
    const head = await store.begin('s', lease, 'e1');
    assert.ok(head !== 'fenced' && head.seq > ahead);
    const [batch] = await appendAll(store, 's', lease, head, [3]);
    assert.ok(batch);
    const following = follow(reader, 's', head);
    await gets(following, [batch]);
    // Nobody could read the host for a minute.
    await server.cli('DEL', keys.streamHead('s'), keys.stream('s'));
    const anew = await store.begin('s', lease, 'e2');
    assert.ok(anew !== 'fenced' && anew.seq < head.seq);
    await appendAll(store, 's', lease, anew, [1]);
    await until(() => following.resets === 1, 8000);
  });

  it('[LOG-2] a follower waits for a redis that restarts with its data, and goes on behind its place', async () => {
    const [lease, head] = await beginOwn('s');
    const [first] = await appendAll(store, 's', lease, head, [3]);
    assert.ok(first);
    const following = follow(reader, 's', head);
    await gets(following, [first]);
    await server.kill();
    await until(() => !other.isUp());
    await server.restart();
    await until(() => redis.isUp(), 5000);
    const second = batchAfter(headOf(first), 2);
    await until(async () => (await store.append('s', lease, second).catch(() => null)) === 'ok');
    await gets(following, [first, second]);
    assert.equal(following.resets, 0);
  });

  it('[LOG-2] a follower is reset by a redis that restarts without its data', async () => {
    const [lease, head] = await beginOwn('s');
    const [first] = await appendAll(store, 's', lease, head, [3]);
    assert.ok(first);
    const following = follow(reader, 's', head);
    await gets(following, [first]);
    await server.cli('FLUSHALL');
    await server.kill();
    await server.restart();
    // Not only by the next batch: its number may be below the follower's place where the server's clock is behind.
    await until(() => following.resets === 1, 8000);
    await until(() => lease.lost.aborted || redis.isUp());
    let next: Lease | null = null;
    await until(async () => {
      next = await leases.acquire('log:s').catch(() => null);
      return next !== null || (await store.begin('s', lease, 'e2').catch(() => 'fenced')) !== 'fenced';
    });
    const begun = await store.begin('s', next ?? lease, 'e3');
    assert.ok(begun !== 'fenced');
    await appendAll(store, 's', next ?? lease, begun, [1]);
    await until(() => following.resets === 1);
    assert.deepEqual(following.batches, [first]);
  });

  const clients = async (name: string) =>
    (await server.cli('CLIENT', 'LIST')).split('\n').filter((line) => line.includes(`name=${name} `)).length;

  it('follows any number of streams over one connection', async () => {
    const owned: [string, Lease, StreamHead, Following][] = [];
    for (let n = 0; n < 12; n++) {
      const [lease, head] = await beginOwn(`s${n}`);
      owned.push([`s${n}`, lease, head, follow(reader, `s${n}`, head)]);
    }
    const appended = await Promise.all(
      owned.map(([name, lease, head]) => appendAll(store, name, lease, head, [1, 2, 3])),
    );
    for (const [index, [, , , following]] of owned.entries()) await gets(following, appended[index] ?? []);
    assert.equal(await clients('tailwire-blocking'), 1);
  });

  it('serves a new follower promptly while the reader waits for other streams', async () => {
    const [lease, head] = await beginOwn('s');
    await beginOwn('quiet');
    const batches = await appendAll(store, 's', lease, head, [1]);
    follow(reader, 'quiet', null);
    const times: number[] = [];
    for (let n = 0; n < 7; n++) {
      await until(async () => (await server.cli('CLIENT', 'LIST')).includes('cmd=xread'));
      const took = startStopwatch();
      const following = follow(reader, 's', head);
      await gets(following, batches);
      times.push(took());
      following.stop();
    }
    times.sort((a, b) => a - b);
    assert.ok((times[3] ?? 0) < 100, `${times.map(Math.round)} ms`);
  });

  it('stop leaves no connection, also while nothing comes and while redis hangs', async () => {
    await beginOwn('quiet');
    follow(reader, 'quiet', null);
    await until(async () => (await server.cli('CLIENT', 'LIST')).includes('cmd=xread'));
    const took = startStopwatch();
    await reader.stop();
    assert.ok(took() < 500, `${took()} ms`);
    await until(async () => (await clients('tailwire-blocking')) === 0);
    follow(store, 'quiet', null);
    await until(async () => (await server.cli('CLIENT', 'LIST')).includes('cmd=xread'));
    server.freeze();
    const frozen = startStopwatch();
    await store.stop();
    assert.ok(frozen() < 1500, `${frozen()} ms`);
    server.thaw();
    await until(async () => (await clients('tailwire-blocking')) === 0);
  });
});
