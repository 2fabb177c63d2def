import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createRedisLeases } from '../../server/cluster/redis-leases.ts';
import { createRedisStreams } from '../../server/cluster/redis-streams.ts';
import type {
  AppendResult,
  Lease,
  LeaseManager,
  StreamBatch,
  StreamHead,
  StreamStore,
} from '../../server/cluster/types.ts';
import { createRedis, type RedisConnections } from '../../server/redis/connections.ts';
import { keys } from '../../server/redis/keys.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

/** Histories of one run; more with TAILWIRE_HISTORIES=100000. */
const HISTORIES = Number(process.env.TAILWIRE_HISTORIES ?? 10_000);
/** Histories that run at the same time, each on a stream of its own. */
const WAVE_MAX = 400;
/** A lease that was set so long ago may really have expired, ms; the model cannot know. */
const UNSURE_MS = 1300;

const INSTANCES = ['a', 'b', 'c'];
const OPS = [
  /** Asks for the lease. */
  'acquire',
  /** The lease expires in Redis; its holder does not know. */
  'expire',
  /** The instance's renewal comes; an instance without it is frozen. */
  'renew',
  'release',
  'claim',
  'begin',
  'append',
  /** The last append again, as after a lost answer. */
  'repeat',
  /** An append that would leave a hole. */
  'skip',
  /** Redis loses everything. */
  'flush',
  /** A viewer's instance comes and follows. */
  'follow',
] as const;

interface Step {
  op: (typeof OPS)[number];
  instance: number;
  /** Use the lease before the newest of this instance: what a zombie does. */
  old: boolean;
  count: number;
}

const weights: Partial<Record<Step['op'], number>> = { acquire: 4, append: 8, claim: 3, begin: 3, renew: 2 };
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.oneof(...OPS.map((op) => ({ weight: weights[op] ?? 1, arbitrary: fc.constant(op) }))),
  instance: fc.nat({ max: INSTANCES.length - 1 }),
  old: fc.boolean(),
  count: fc.integer({ min: 1, max: 4 }),
});
const history = fc.array(step, { minLength: 1, maxLength: 24, size: 'max' });

/** One right of one instance, and where its owner believes the stream to be. */
interface Right {
  lease: Lease;
  at: StreamHead | null;
  last: StreamBatch | null;
}

interface Instance {
  leases: LeaseManager;
  renew: () => void;
  rights: Right[];
}

/** What one follower was given since it began to follow. */
interface Segment {
  after: StreamHead | null;
  batches: StreamBatch[];
  reset: boolean;
}

class Unsure extends Error {}

describe('leases and streams in redis, whatever comes between', function () {
  this.timeout(Math.max(90_000, HISTORIES * 20));
  let server: RedisServer;
  let redis: RedisConnections;
  let store: StreamStore;
  let histories = 0;
  let unsure = 0;

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    const logger = createRecordLogger();
    redis = createRedis({ url: server.url, logger });
    store = createRedisStreams({ redis, logger });
    // Every script is known to Redis from here on, so that a renewal is one command.
    const instance = createInstance('first');
    const lease = await instance.leases.acquire('first');
    assert.ok(lease);
    instance.renew();
    await until(async () => (await server.cli('INFO', 'commandstats')).includes('cmdstat_eval:calls=2'));
    await lease.release();
  });
  after(async () => {
    await store?.stop();
    await redis?.stop();
    await server?.stop();
  });

  function createInstance(instanceId: string): Instance {
    const instance: Instance = {
      leases: { acquire: async () => null, stop: async () => {} },
      renew: () => {},
      rights: [],
    };
    instance.leases = createRedisLeases({
      redis,
      instanceId,
      logger: createRecordLogger(),
      every(_ms, run) {
        instance.renew = run;
        return () => {};
      },
    });
    return instance;
  }

  /** Follows like a tail does, and starts over after each reset. */
  async function followAll(stream: string, segments: Segment[], stops: (() => void)[]): Promise<void> {
    const held = await store.read(stream);
    const after = held ? { epoch: held.epoch, seq: held.seq, cursor: held.cursor } : null;
    const segment: Segment = { after, batches: [], reset: false };
    segments.push(segment);
    const { stop } = store.follow(stream, after, {
      onBatch(batch) {
        assert.equal(segment.reset, false);
        segment.batches.push(batch);
      },
      onReset() {
        segment.reset = true;
        followAll(stream, segments, stops).catch(() => {});
      },
    });
    stops.push(stop);
  }

  async function play(steps: readonly Step[], name: string): Promise<void> {
    const instances = INSTANCES.map(createInstance);
    const own = [keys.lease(name), keys.leaseFence(name), keys.stream(name), keys.streamHead(name)];
    const followers: Segment[][] = [];
    const stops: (() => void)[] = [];
    const accepted = new Map<string, StreamBatch>();
    // What Redis must hold.
    let holder: Right | null = null;
    let heldSince = performance.now();
    let greatest = 0;
    let head: (StreamHead & { fence: number }) | null = null;
    let batches: StreamBatch[] = [];
    let epochs = 0;
    let lastSeq = 0;

    const hold = (right: Right) => {
      holder = right;
      heldSince = performance.now();
    };

    async function acquire(instance: Instance): Promise<void> {
      const lease = await instance.leases.acquire(name);
      if (holder !== null) return assert.equal(lease, null, 'two holders');
      assert.ok(lease, 'a free lease was not given');
      assert.ok(lease.fence > greatest, `fence ${lease.fence} after ${greatest}`);
      greatest = lease.fence;
      const right: Right = { lease, at: null, last: null };
      instance.rights.push(right);
      hold(right);
    }

    /** What claim and begin have to say first. */
    const fenced = (right: Right) =>
      holder?.lease.fence !== right.lease.fence || (head !== null && head.fence > right.lease.fence);

    async function append(right: Right, batch: StreamBatch): Promise<void> {
      const last = batch.firstSeq + batch.count - 1;
      let expected: AppendResult = 'ok';
      if (head && head.fence > right.lease.fence) expected = 'fenced';
      else if (!head || head.fence !== right.lease.fence || head.epoch !== batch.epoch)
        expected = 'rolled_back';
      else if (head.seq !== last && head.seq !== batch.firstSeq - 1) expected = 'rolled_back';
      const repeated = expected === 'ok' && head?.seq === last;
      assert.equal(await store.append(name, right.lease, batch), expected);
      if (expected !== 'ok' || repeated || !head) return;
      head = { ...head, seq: last, cursor: batch.cursor };
      batches.push(batch);
      lastSeq = Math.max(lastSeq, last);
      accepted.set(`${batch.epoch}/${batch.firstSeq}`, batch);
      right.at = { epoch: batch.epoch, seq: last, cursor: batch.cursor };
      right.last = batch;
    }

    async function act({ op, instance: index, old, count }: Step): Promise<void> {
      const instance = instances[index];
      if (!instance) return;
      const right = instance.rights.at(old ? -2 : -1) ?? instance.rights.at(-1);
      if (op === 'acquire') return acquire(instance);
      if (op === 'expire') {
        await redis.commands.del(keys.lease(name));
        holder = null;
      } else if (op === 'flush') {
        await redis.commands.del(...own);
        holder = null;
        head = null;
        batches = [];
      } else if (op === 'follow') {
        const segments: Segment[] = [];
        followers.push(segments);
        await followAll(name, segments, stops);
      } else if (op === 'renew') {
        instance.renew();
        await redis.ping();
        await new Promise((resolve) => setImmediate(resolve));
        for (const one of instance.rights) {
          if (one.lease.lost.aborted) continue;
          // Renewals go out oldest first; the first that finds the place free, or its own, has it.
          assert.ok(holder === null || holder === one, 'a lease that another holds was kept');
          hold(one);
        }
      } else if (!right) {
        // Nothing to act with.
      } else if (op === 'release') {
        const had = !right.lease.lost.aborted;
        await right.lease.release();
        if (had && holder === right) holder = null;
      } else if (op === 'claim') {
        const answer = await store.claim(name, right.lease);
        if (fenced(right)) return assert.equal(answer, 'fenced');
        if (!head) return assert.equal(answer, null);
        const { fence: _, ...expected } = head;
        assert.deepEqual(answer, expected);
        head = { ...head, fence: right.lease.fence };
        right.at = expected;
      } else if (op === 'begin') {
        const epoch = `${name}.${++epochs}`;
        const answer = await store.begin(name, right.lease, epoch);
        if (fenced(right)) return assert.equal(answer, 'fenced');
        assert.ok(answer !== 'fenced');
        assert.ok(answer.seq > lastSeq, 'sequence numbers do not grow over epochs');
        assert.deepEqual({ ...answer, seq: 0 }, { epoch, seq: 0, cursor: null });
        head = { ...answer, fence: right.lease.fence };
        lastSeq = answer.seq;
        batches = [];
        right.at = answer;
      } else if (op === 'repeat') {
        if (right.last) await append(right, right.last);
      } else {
        const at = right.at ?? head ?? { epoch: 'none', seq: 1, cursor: null };
        const firstSeq = at.seq + (op === 'skip' ? 2 : 1);
        const cursor = `${name} ${index} ${firstSeq + count - 1}`;
        await append(right, { epoch: at.epoch, firstSeq, count, body: `{"entries":["${cursor}"]}`, cursor });
      }
    }

    function checkFollower(segments: readonly Segment[]): void {
      for (const [index, { after, batches: given, reset }] of segments.entries()) {
        const next = segments[index + 1]?.after;
        if (reset && after && next) assert.notEqual(next.epoch, after.epoch, 'a reset without need');
        let at = after;
        for (const batch of given) {
          assert.deepEqual(
            batch,
            accepted.get(`${batch.epoch}/${batch.firstSeq}`),
            'a batch nobody appended',
          );
          assert.equal(batch.epoch, at?.epoch, 'a batch of another epoch');
          assert.equal(batch.firstSeq, (at?.seq ?? 0) + 1, 'out of order');
          at = { epoch: batch.epoch, seq: batch.firstSeq + batch.count - 1, cursor: batch.cursor };
        }
      }
    }

    /** A follower has all of the present epoch, or there is nothing in it that it could have been given. */
    function isServed(segments: readonly Segment[]): boolean {
      const segment = segments.at(-1);
      if (!segment) return false;
      if (batches.length === 0 || !head) return true;
      const newest = segment.batches.at(-1);
      const at = newest
        ? { epoch: newest.epoch, seq: newest.firstSeq + newest.count - 1 }
        : { epoch: segment.after?.epoch, seq: segment.after?.seq };
      return !segment.reset && at.epoch === head.epoch && at.seq === head.seq;
    }

    try {
      for (const one of steps) {
        try {
          await act(one);
        } catch (error) {
          if (performance.now() - heldSince > UNSURE_MS) throw new Unsure();
          throw error;
        }
      }
      const held = await store.read(name);
      const expected: (StreamHead & { fence: number }) | null = head;
      if (expected === null) assert.equal(held, null);
      else {
        const { fence: _, ...plain } = expected as StreamHead & { fence: number };
        assert.deepEqual(held, { ...plain, batches });
      }
      for (const segments of followers) {
        await until(() => isServed(segments), 5000);
        checkFollower(segments);
      }
    } finally {
      for (const stop of stops) stop();
      await redis.commands.del(...own);
    }
  }

  it(`[LOG-2] keeps entries in order and old owners out, over ${HISTORIES} histories`, async () => {
    const waves = fc.array(history, { minLength: 1, maxLength: WAVE_MAX, size: 'max' });
    while (histories < HISTORIES) {
      await fc.assert(
        fc.asyncProperty(waves, async (wave) => {
          const done = await Promise.allSettled(wave.map((steps) => play(steps, `h${++histories}`)));
          for (const one of done) {
            if (one.status === 'fulfilled') continue;
            if (!(one.reason instanceof Unsure)) throw one.reason;
            unsure++;
          }
        }),
        { numRuns: 10, interruptAfterTimeLimit: this.timeout() / 2 },
      );
    }
    assert.ok(unsure < histories / 50, `${unsure} of ${histories} histories took too long to be judged`);
  });
});
