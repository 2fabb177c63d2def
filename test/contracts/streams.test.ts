import assert from 'node:assert/strict';
import { createMemoryLeases, createMemoryStreams } from '../../server/cluster/memory.ts';
import { createRedisLeases } from '../../server/cluster/redis-leases.ts';
import { createRedisStreams } from '../../server/cluster/redis-streams.ts';
import {
  type Lease,
  type LeaseManager,
  STREAM_MAX_BATCHES,
  STREAM_MAX_BYTES,
  STREAM_TTL_MS,
  type StreamBatch,
  type StreamHead,
  type StreamStore,
} from '../../server/cluster/types.ts';
import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import { keys } from '../../server/redis/keys.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The batch behind a head. */
function batchAfter(head: StreamHead, count = 1, body = '{"entries":[]}'): StreamBatch {
  const last = head.seq + count;
  return { epoch: head.epoch, firstSeq: head.seq + 1, count, body, cursor: `cursor ${last}` };
}

const headOf = (batch: StreamBatch): StreamHead => ({
  epoch: batch.epoch,
  seq: batch.firstSeq + batch.count - 1,
  cursor: batch.cursor,
});

/** Appends batches of these sizes. @returns them */
async function appendAll(
  store: StreamStore,
  stream: string,
  lease: Lease,
  head: StreamHead,
  counts: readonly number[],
  body?: string,
): Promise<StreamBatch[]> {
  const batches: StreamBatch[] = [];
  let at = head;
  for (const count of counts) {
    const batch = batchAfter(at, count, body);
    assert.equal(await store.append(stream, lease, batch), 'ok');
    batches.push(batch);
    at = headOf(batch);
  }
  return batches;
}

interface Following {
  batches: StreamBatch[];
  resets: number;
  stop(): void;
}

function follow(store: StreamStore, stream: string, after: StreamHead | null): Following {
  const following: Following = { batches: [], resets: 0, stop: () => {} };
  const { stop } = store.follow(stream, after, {
    onBatch(batch) {
      assert.equal(following.resets, 0, 'a batch behind a reset');
      following.batches.push(batch);
    },
    onReset() {
      following.resets++;
    },
  });
  following.stop = stop;
  return following;
}

const gets = (following: Following, batches: readonly StreamBatch[], timeoutMs = 5000) =>
  until(() => {
    assert.deepEqual(following.batches, batches);
    return true;
  }, timeoutMs);

interface Kind {
  leases(): LeaseManager;
  store(): StreamStore;
}

function streamContract({ leases, store }: Kind): void {
  async function own(stream: string): Promise<Lease> {
    const lease = await leases().acquire(`log:${stream}`);
    assert.ok(lease);
    return lease;
  }
  async function beginOwn(stream: string, epoch = 'e1'): Promise<[Lease, StreamHead]> {
    const lease = await own(stream);
    const head = await store().begin(stream, lease, epoch);
    assert.ok(head !== 'fenced');
    return [lease, head];
  }

  it('there is nothing where nobody began', async () => {
    const lease = await own('s');
    assert.equal(await store().claim('s', lease), null);
    assert.equal(await store().read('s'), null);
    assert.equal(
      await store().append('s', lease, batchAfter({ epoch: 'e', seq: 1, cursor: null })),
      'rolled_back',
    );
  });

  it('begins empty and keeps batches as they came', async () => {
    const [lease, head] = await beginOwn('s');
    assert.deepEqual({ ...head, seq: 0 }, { epoch: 'e1', seq: 0, cursor: null });
    assert.ok(Number.isSafeInteger(head.seq));
    assert.deepEqual(await store().read('s'), { ...head, batches: [] });
    const body = '{"entries":[{"id":"ä\\u0000\\n🦀"}]}';
    const batches = await appendAll(store(), 's', lease, head, [1, 500, 3], body);
    const last = batches[2];
    assert.ok(last);
    assert.deepEqual(await store().read('s'), { ...headOf(last), batches });
    assert.deepEqual(await store().claim('s', lease), headOf(last));
  });

  it('[LOG-2] the next owner goes on where the last one ended', async () => {
    const [lease, head] = await beginOwn('s');
    const [batch] = await appendAll(store(), 's', lease, head, [7]);
    await lease.release();
    const next = await own('s');
    assert.ok(batch);
    assert.deepEqual(await store().claim('s', next), headOf(batch));
    await appendAll(store(), 's', next, headOf(batch), [2]);
  });

  it('[LOG-2] refuses everything from an older owner once a newer one has claimed', async () => {
    const [old, head] = await beginOwn('s');
    const [batch] = await appendAll(store(), 's', old, head, [1]);
    assert.ok(batch);
    await old.release();
    const next = await own('s');
    await store().claim('s', next);
    assert.equal(await store().append('s', old, batchAfter(headOf(batch))), 'fenced');
    assert.equal(await store().append('s', old, batch), 'fenced');
    assert.equal(await store().claim('s', old), 'fenced');
    assert.equal(await store().begin('s', old, 'e2'), 'fenced');
    assert.deepEqual(await store().read('s'), { ...headOf(batch), batches: [batch] });
  });

  it('[LOG-2] refuses claim and begin without the lease, also where nobody else has it', async () => {
    const [lease] = await beginOwn('s');
    await lease.release();
    assert.equal(await store().claim('s', lease), 'fenced');
    assert.equal(await store().begin('s', lease, 'e2'), 'fenced');
    assert.equal((await store().read('s'))?.epoch, 'e1');
  });

  it('[LOG-2] takes nothing from an owner that has not claimed', async () => {
    const [old, head] = await beginOwn('s');
    await old.release();
    const next = await own('s');
    assert.equal(await store().append('s', next, batchAfter(head)), 'rolled_back');
  });

  it('takes a repeated append once', async () => {
    const [lease, head] = await beginOwn('s');
    const [first, second] = await appendAll(store(), 's', lease, head, [4, 2]);
    assert.ok(first && second);
    assert.equal(await store().append('s', lease, second), 'ok');
    assert.deepEqual((await store().read('s'))?.batches, [first, second]);
  });

  it('[LOG-2] takes no append that leaves a hole, repeats older lines or is of another epoch', async () => {
    const [lease, head] = await beginOwn('s');
    const [first, second] = await appendAll(store(), 's', lease, head, [4, 2]);
    assert.ok(first && second);
    const next = batchAfter(headOf(second));
    for (const wrong of [first, { ...next, firstSeq: next.firstSeq + 1 }, { ...next, epoch: 'e0' }])
      assert.equal(await store().append('s', lease, wrong), 'rolled_back');
    assert.deepEqual((await store().read('s'))?.batches, [first, second]);
  });

  it('a new epoch drops what was there, and counts on', async () => {
    const [lease, head] = await beginOwn('s');
    const [batch] = await appendAll(store(), 's', lease, head, [4]);
    assert.ok(batch);
    const begun = await store().begin('s', lease, 'e2');
    assert.ok(begun !== 'fenced' && begun.seq >= headOf(batch).seq);
    assert.deepEqual(await store().read('s'), { epoch: 'e2', seq: begun.seq, cursor: null, batches: [] });
    assert.equal(await store().append('s', lease, batchAfter(headOf(batch))), 'rolled_back');
    await appendAll(store(), 's', lease, begun, [1]);
  });

  it('[LOG-4] keeps a number of batches, the newest', async () => {
    const [lease, head] = await beginOwn('s');
    let at = head;
    for (let done = 0; done < STREAM_MAX_BATCHES + 10; ) {
      const asked: Promise<unknown>[] = [];
      for (let n = 0; n < 501; n++, done++) {
        const batch = batchAfter(at);
        asked.push(store().append('s', lease, batch));
        at = headOf(batch);
      }
      assert.deepEqual(new Set(await Promise.all(asked)), new Set(['ok']));
    }
    const tail = await store().read('s');
    assert.equal(tail?.batches.length, STREAM_MAX_BATCHES);
    assert.deepEqual(tail?.batches.at(-1), { ...batchAfter(head), firstSeq: at.seq, cursor: at.cursor });
    assert.equal(tail?.batches[0]?.firstSeq, at.seq - STREAM_MAX_BATCHES + 1);
  });

  it('[LOG-4] keeps a number of bytes, and the newest batch whatever its size', async () => {
    const [lease, head] = await beginOwn('s');
    const body = `{"entries":[${'1'.repeat(200_000)}]}`;
    const batches = await appendAll(store(), 's', lease, head, Array(15).fill(1), body);
    const kept = await store().read('s');
    assert.equal(kept?.batches.length, Math.floor(STREAM_MAX_BYTES / body.length));
    const last = batches.at(-1);
    assert.ok(kept && last);
    const [huge] = await appendAll(store(), 's', lease, headOf(last), [1], 'x'.repeat(STREAM_MAX_BYTES + 1));
    assert.deepEqual((await store().read('s'))?.batches, [huge]);
    assert.ok(huge);
    const [small] = await appendAll(store(), 's', lease, headOf(huge), [1]);
    assert.deepEqual((await store().read('s'))?.batches, [small]);
  });

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

describe('streams in memory', () => {
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
  streamContract({ leases: () => leases, store: () => store });

  it('a stream disappears after its time unless it is claimed or appended to', async () => {
    const lease = await leases.acquire('log:s');
    assert.ok(lease);
    const head = await store.begin('s', lease, 'e1');
    assert.ok(head !== 'fenced');
    for (const touch of [
      () => store.claim('s', lease),
      () => appendAll(store, 's', lease, head, [1]),
      () => store.claim('s', lease),
    ]) {
      now += STREAM_TTL_MS - 1;
      await touch();
    }
    now += STREAM_TTL_MS + 1;
    assert.equal(await store.read('s'), null);
    assert.equal(await store.claim('s', lease), null);
    const begun = await store.begin('s', lease, 'e2');
    assert.ok(begun !== 'fenced' && begun.seq > head.seq + 1);
  });
});

describe('streams in redis', function () {
  this.timeout(30_000);
  let server: RedisServer;
  let redis: RedisConnections;
  let other: RedisConnections;
  let leases: LeaseManager;
  let store: StreamStore;
  let reader: StreamStore;

  before(async function () {
    requirePart(this, 'redis-server');
    // Data survives a restart unless a test deletes it.
    server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  });
  beforeEach(async () => {
    await server.cli('FLUSHALL');
    const logger = createRecordLogger();
    redis = createRedis({ url: server.url, logger });
    other = createRedis({ url: server.url, logger });
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

  streamContract({ leases: () => leases, store: () => store });

  async function beginOwn(stream: string, epoch = 'e1'): Promise<[Lease, StreamHead]> {
    const lease = await leases.acquire(`log:${stream}`);
    assert.ok(lease);
    const head = await store.begin(stream, lease, epoch);
    assert.ok(head !== 'fenced');
    return [lease, head];
  }

  it('another instance reads and follows the same', async () => {
    const [lease, head] = await beginOwn('s');
    const following = follow(reader, 's', head);
    const batches = await appendAll(store, 's', lease, head, [3, 1, 4]);
    await gets(following, batches);
    assert.deepEqual((await reader.read('s'))?.batches, batches);
  });

  it('leaves nothing in redis for ever, and claim and append prolong it', async () => {
    const [lease, head] = await beginOwn('s');
    await appendAll(store, 's', lease, head, [1]);
    const names = [keys.stream('s'), keys.streamHead('s')];
    for (const touch of [
      () => store.claim('s', lease),
      () => appendAll(store, 's', lease, { ...head, seq: head.seq + 1 }, [1]),
    ]) {
      for (const name of names) await server.cli('PEXPIRE', name, '5000');
      await touch();
      for (const name of names) {
        const left = Number(await server.cli('PTTL', name));
        assert.ok(left > STREAM_TTL_MS - 5000 && left <= STREAM_TTL_MS, `${name} lives ${left} ms`);
      }
    }
    for (const name of (await server.cli('KEYS', '*')).split('\n'))
      assert.ok(Number(await server.cli('PTTL', name)) > 0, name);
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
    }, 3000);
    assert.ok(begun !== 'fenced');
    const next: StreamHead = begun;
    assert.ok(next.seq > headOf(batch).seq);
    await appendAll(store, 's', lease, next, [1]);
    await until(() => following.resets === 1);
  });

  it('[LOG-2] a frozen owner writes nothing after its stream is gone and begun by another', async () => {
    const [lease, head] = await beginOwn('s');
    await server.cli('FLUSHALL');
    const next = await leases.acquire('log:s').then(async (taken) => taken ?? leases.acquire('log:s'));
    if (next === null) return assert.fail('the lease was renewed in between');
    assert.ok(next.fence > lease.fence);
    const begun = await store.begin('s', next, 'e2');
    assert.ok(begun !== 'fenced');
    assert.equal(await store.append('s', lease, batchAfter(head)), 'fenced');
    assert.equal(await store.append('s', lease, batchAfter(begun)), 'fenced');
    assert.equal(await store.begin('s', lease, 'e3'), 'fenced');
    assert.equal(await store.claim('s', lease), 'fenced');
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
    await until(async () => (await store.append('s', lease, second).catch(() => null)) === 'ok', 5000);
    await gets(following, [first, second], 8000);
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
    await until(() => lease.lost.aborted || redis.isUp(), 5000);
    let next: Lease | null = null;
    await until(async () => {
      next = await leases.acquire('log:s').catch(() => null);
      return next !== null || (await store.begin('s', lease, 'e2').catch(() => 'fenced')) !== 'fenced';
    }, 8000);
    const begun = await store.begin('s', next ?? lease, 'e3');
    assert.ok(begun !== 'fenced');
    await appendAll(store, 's', next ?? lease, begun, [1]);
    await until(() => following.resets === 1, 8000);
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
      const started = performance.now();
      const following = follow(reader, 's', head);
      await gets(following, batches);
      times.push(performance.now() - started);
      following.stop();
    }
    times.sort((a, b) => a - b);
    assert.ok((times[3] ?? 0) < 100, `${times.map(Math.round)} ms`);
  });

  it('stop leaves no connection, also while nothing comes and while redis hangs', async () => {
    await beginOwn('quiet');
    follow(reader, 'quiet', null);
    await until(async () => (await server.cli('CLIENT', 'LIST')).includes('cmd=xread'));
    const started = performance.now();
    await reader.stop();
    assert.ok(performance.now() - started < 500);
    await until(async () => (await clients('tailwire-blocking')) === 0);
    follow(store, 'quiet', null);
    await until(async () => (await server.cli('CLIENT', 'LIST')).includes('cmd=xread'));
    server.freeze();
    const frozen = performance.now();
    await store.stop();
    assert.ok(performance.now() - frozen < 1500, `${performance.now() - frozen} ms`);
    server.thaw();
    await until(async () => (await clients('tailwire-blocking')) === 0);
  });
});
