import assert from 'node:assert/strict';
import { createMemoryLeases, createMemoryStreams } from '../../server/cluster/memory.ts';
import { createRedisLeases } from '../../server/cluster/redis-leases.ts';
import { createRedisStreams } from '../../server/cluster/redis-streams.ts';
import {
  type LeaseManager,
  STREAM_MAX_BATCHES,
  STREAM_MAX_BYTES,
  STREAM_TTL_MS,
  type StreamStore,
} from '../../server/cluster/types.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { keys } from '../../server/redis/keys.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import {
  appendAll,
  batchAfter,
  beginStream,
  headOf,
  ownStream,
  type StreamKind,
} from '../support/streams.ts';

function storeContract({ leases, store }: StreamKind): void {
  const own = (stream: string) => ownStream(leases(), stream);
  const beginOwn = (stream: string, epoch?: string) => beginStream(leases(), store(), stream, epoch);

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

  it('[R14] a new epoch counts on above what its owner has used, whatever the store and its clock say', async () => {
    const [lease, head] = await beginOwn('s');
    const used = head.seq + 3_600_000_000;
    const next = await store().begin('s', lease, 'e2', used);
    assert.ok(next !== 'fenced' && next.seq > used && Number.isInteger(next.seq));
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
  storeContract({ leases: () => leases, store: () => store });

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

describe('streams in redis', () => {
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

  storeContract({ leases: () => leases, store: () => store });

  const beginOwn = (stream: string, epoch?: string) => beginStream(leases, store, stream, epoch);

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

  it('[LOG-2] a frozen owner writes nothing after its stream is gone and begun by another', async () => {
    const [lease, head] = await beginOwn('s');
    // On their way together, so that no renewal can bring the lease back in between.
    const emptied = redis.commands.flushall();
    const next = await ownStream(leases, 's');
    await emptied;
    assert.ok(next.fence > lease.fence);
    const begun = await store.begin('s', next, 'e2');
    assert.ok(begun !== 'fenced');
    assert.equal(await store.append('s', lease, batchAfter(head)), 'fenced');
    assert.equal(await store.append('s', lease, batchAfter(begun)), 'fenced');
    assert.equal(await store.begin('s', lease, 'e3'), 'fenced');
    assert.equal(await store.claim('s', lease), 'fenced');
  });
});
