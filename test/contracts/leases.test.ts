import assert from 'node:assert/strict';
import { createMemoryLeases } from '../../server/cluster/memory.ts';
import { createRedisLeases } from '../../server/cluster/redis-leases.ts';
import type { Lease, LeaseManager } from '../../server/cluster/types.ts';
import { AppError } from '../../server/core/errors.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { keys } from '../../server/redis/keys.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

/** Longest life of a lease whose holder is silent, in ms, as LOG-3 needs it: a take-over within 4 s. */
const EXPIRY_MS = 2500;

async function take(leases: LeaseManager | undefined, name: string): Promise<Lease> {
  const lease = await leases?.acquire(name);
  assert.ok(lease, 'the lease is held by another');
  return lease;
}

/** Takes a lease as soon as it is free. @returns it, and how long that took in ms */
async function takeWhenFree(leases: LeaseManager | undefined, name: string, timeoutMs: number) {
  const took = startStopwatch();
  let lease: Lease | null | undefined = null;
  await until(async () => {
    lease = await leases?.acquire(name).catch(() => null);
    return !!lease;
  }, timeoutMs);
  return { lease: lease as unknown as Lease, ms: took() };
}

/** What holds for leases of every kind. `managers` gives two instances; in memory both are the same. */
function leaseContract(managers: () => [LeaseManager, LeaseManager]): void {
  it('[LOG-1] gives a lease to one holder at a time', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    assert.equal(lease.name, 'one');
    assert.equal(lease.lost.aborted, false);
    assert.equal(await b.acquire('one'), null);
    assert.equal(await a.acquire('one'), null);
    await take(b, 'another');
  });

  it('[LOG-1] gives it to one of many that ask at once', async () => {
    const [a, b] = managers();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).acquire('rush')));
    assert.equal(answers.filter((lease) => lease !== null).length, 1);
  });

  it('[LOG-3] is free at once when released, and tells its holder', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    await lease.release();
    assert.equal(lease.lost.aborted, true);
    await take(b, 'one');
  });

  it('releasing again takes nothing from the next holder', async () => {
    const [a, b] = managers();
    const first = await take(a, 'one');
    await first.release();
    const second = await take(b, 'one');
    await first.release();
    assert.equal(second.lost.aborted, false);
    assert.equal(await a.acquire('one'), null);
  });

  it('[LOG-2] has a greater fence for each holder', async () => {
    const [a, b] = managers();
    let last = 0;
    for (let n = 0; n < 20; n++) {
      const lease = await take(n % 2 ? a : b, 'one');
      assert.ok(Number.isSafeInteger(lease.fence) && lease.fence > last, `${lease.fence} after ${last}`);
      last = lease.fence;
      await lease.release();
    }
  });

  it('stop releases all that is held, and may come twice', async () => {
    const [a, b] = managers();
    const leases = [await take(a, 'one'), await take(a, 'two')];
    await a.stop();
    await a.stop();
    for (const lease of leases) assert.equal(lease.lost.aborted, true);
    await take(b, 'one');
    await take(b, 'two');
  });
}

describe('leases in memory', () => {
  let leases: LeaseManager;
  beforeEach(() => {
    leases = createMemoryLeases();
  });
  afterEach(() => leases.stop());
  leaseContract(() => [leases, leases]);
});

describe('leases in redis', () => {
  let server: RedisServer;
  let instances: { redis: RedisConnections; leases: LeaseManager }[];

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
  });
  beforeEach(async () => {
    await server.cli('FLUSHALL');
    instances = [];
    for (const instanceId of ['a', 'b']) {
      const logger = createRecordLogger();
      const redis = await connectRedis(server, logger);
      instances.push({ redis, leases: createRedisLeases({ redis, instanceId, logger }) });
    }
  });
  afterEach(async () => {
    server.thaw();
    await Promise.all(instances.map(({ leases }) => leases.stop()));
    await Promise.all(instances.map(({ redis }) => redis.stop()));
  });
  after(() => server?.stop());

  const managers = (): [LeaseManager, LeaseManager] => {
    const [a, b] = instances;
    assert.ok(a && b);
    return [a.leases, b.leases];
  };
  leaseContract(managers);

  it('is kept for as long as its holder renews it', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    const end = performance.now() + EXPIRY_MS;
    await until(async () => {
      assert.equal(lease.lost.aborted, false);
      assert.equal(await b.acquire('one'), null);
      return performance.now() > end;
    });
  });

  it('[LOG-3] is free soon after its holder died', async () => {
    const [, b] = managers();
    await server.cli('SET', keys.lease('one'), '1:dead', 'PX', '1600');
    const { ms } = await takeWhenFree(b, 'one', EXPIRY_MS + 1000);
    assert.ok(ms < EXPIRY_MS, `${ms} ms`);
  });

  it('[LOG-3] [R14] is free soon after its holder died, also where a clock that was ahead gave it an hour more', async () => {
    const [, b] = managers();
    await server.cli('SET', keys.lease('one'), '1:dead', 'PX', '3601600');
    const { ms } = await takeWhenFree(b, 'one', EXPIRY_MS + 1000);
    assert.ok(ms < EXPIRY_MS, `${ms} ms`);
  });

  it('[LOG-2] is lost when redis is silent for longer than it lives', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    server.freeze();
    await until(() => lease.lost.aborted, EXPIRY_MS);
    server.thaw();
    const next = await takeWhenFree(b, 'one', 5000);
    assert.ok(next.lease.fence > lease.fence);
  });

  it('outlives a short silence of redis', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    server.freeze();
    // So that at least one renewal is not answered in time.
    await new Promise((resolve) => setTimeout(resolve, 500));
    server.thaw();
    const end = performance.now() + EXPIRY_MS;
    await until(async () => {
      assert.equal(lease.lost.aborted, false);
      assert.equal(await b.acquire('one').catch(() => null), null);
      return performance.now() > end;
    });
  });

  it('[LOG-2] is lost when another has taken it, and giving it up then takes nothing from the other', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    // As if it had expired while its holder was frozen.
    const expiring = instances[1]?.redis.commands.del(keys.lease('one'));
    const next = await take(b, 'one');
    await expiring;
    assert.ok(next.fence > lease.fence);
    await until(() => lease.lost.aborted, EXPIRY_MS);
    await lease.release();
    assert.equal(next.lost.aborted, false);
    assert.equal(await a.acquire('one'), null);
  });

  it('stays with its holder where redis lost its data, and no fence comes twice', async () => {
    const [a, b] = managers();
    const fences: number[] = [];
    for (let n = 0; n < 3; n++) {
      // On their way together, so that no renewal can bring the lease of the round before back in between.
      const emptied = instances[0]?.redis.commands.flushall();
      const lease = await take(a, 'other');
      fences.push(lease.fence);
      await emptied;
    }
    const lease = await take(a, 'one');
    await server.cli('FLUSHALL');
    await until(async () => (await server.cli('EXISTS', keys.lease('one'))) === '1', EXPIRY_MS);
    assert.equal(lease.lost.aborted, false);
    assert.equal(await b.acquire('one'), null);
    assert.deepEqual(
      fences,
      [...new Set(fences)].sort((x, y) => x - y),
    );
  });

  it('[LOG-2] fences grow over a restart without data', async () => {
    const [a, b] = managers();
    const lease = await take(a, 'one');
    await server.kill();
    await until(() => lease.lost.aborted, EXPIRY_MS);
    await server.restart();
    const { lease: next } = await takeWhenFree(b, 'one', 8000);
    assert.ok(next.fence > lease.fence);
  });

  it('says that the store is away, within 2 s', async () => {
    const [a] = managers();
    await server.kill();
    const took = startStopwatch();
    await assert.rejects(
      a.acquire('one'),
      (error) => error instanceof AppError && error.code === 'store_unavailable',
    );
    assert.ok(took() < 2000);
    await server.restart();
  });

  it('leaves nothing in redis for ever', async () => {
    const [a] = managers();
    const lease = await take(a, 'one');
    const names = (await server.cli('KEYS', '*')).split('\n');
    assert.equal(names.length, 2);
    for (const name of names) assert.ok(Number(await server.cli('PTTL', name)) > 0, name);
    await lease.release();
    assert.equal(await server.cli('EXISTS', keys.lease('one')), '0');
  });
});
