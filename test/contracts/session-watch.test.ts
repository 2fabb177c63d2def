import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { RedisConnections } from '../../server/redis/connections.ts';
import {
  createMemorySessionStore,
  createRedisSessionStore,
  type FullSessionStore,
} from '../../server/sessions/session-store.ts';
import { createSessionWatch, type SessionWatch } from '../../server/sessions/session-watch.ts';
import type { SessionEnd } from '../../server/sessions/types.ts';
import type { SshTarget } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const target: SshTarget = {
  host: 'node.example',
  port: 22,
  username: 'ubuntu',
  credential: { method: 'password', password: 'pw' },
};
const MAX_AGE = 86_400_000;

interface Instance {
  store: FullSessionStore;
  watch: SessionWatch;
  ends: SessionEnd[];
  stop(): Promise<void>;
}

function watchOver(store: FullSessionStore, maxAgeMs = MAX_AGE): Instance {
  const ends: SessionEnd[] = [];
  const watch = createSessionWatch({
    store,
    maxAgeMs,
    logger: createRecordLogger(),
    onEnd: (end) => ends.push(end),
  });
  return {
    store,
    watch,
    ends,
    async stop() {
      await watch.stop();
      await watch.stop();
      await store.stop();
    },
  };
}

/** Waits until the assertions hold, for the second that SIO-8 allows. */
async function within1s(check: () => void): Promise<void> {
  await until(() => {
    check();
    return true;
  }, 1000);
}

describe('session watch over memory', () => {
  let instance: Instance;
  afterEach(() => instance.stop());

  it('[SIO-8] tells of a revoked session within a second, once', async () => {
    instance = watchOver(createMemorySessionStore({ secrets: ['s'] }));
    const { token, session } = await instance.store.create(target);
    instance.watch.register(token, session);
    instance.watch.register(token, session);
    await instance.store.revoke(token);
    await within1s(() => assert.deepEqual(instance.ends, [{ sessionId: session.id, reason: 'logout' }]));
    assert.equal(instance.watch.size(), 0);
  });

  it('[SIO-8] tells of the absolute end within a second, and lets a session in use slide on until then', async () => {
    const maxAgeMs = 2000;
    instance = watchOver(createMemorySessionStore({ secrets: ['s'], ttlMs: 600, maxAgeMs }), maxAgeMs);
    const { token, session } = await instance.store.create(target);
    instance.watch.register(token, session);
    await until(() => instance.ends.length > 0 || Date.now() >= session.createdAt + maxAgeMs);
    assert.ok(Date.now() >= session.createdAt + maxAgeMs);
    await within1s(() => assert.equal(instance.ends.length, 1));
    assert.deepEqual(instance.ends, [{ sessionId: session.id, reason: 'expired' }]);
  });

  it('[SIO-8] tells of the absolute end also where it comes while the store is asked', async () => {
    const store = createMemorySessionStore({ secrets: ['s'] });
    const { token, session } = await store.create(target);
    let now = session.createdAt + MAX_AGE - 1;
    const ends: SessionEnd[] = [];
    const watch = createSessionWatch({
      store: {
        fates: async () => ['alive'],
        async touch() {
          now += 1;
          return null;
        },
      },
      maxAgeMs: MAX_AGE,
      logger: createRecordLogger(),
      onEnd: (end) => ends.push(end),
      now: () => now,
      pollMs: 1,
    });
    instance = { store, watch, ends, stop: () => watch.stop() };
    watch.register(token, { ...session, expiresAt: now });
    await until(() => ends.length > 0);
    assert.deepEqual(ends, [{ sessionId: session.id, reason: 'expired' }]);
  });

  it('forgets a session when its last registration goes', async () => {
    instance = watchOver(createMemorySessionStore({ secrets: ['s'] }));
    const { token, session } = await instance.store.create(target);
    const [first, second] = [
      instance.watch.register(token, session),
      instance.watch.register(token, session),
    ];
    first();
    first();
    assert.equal(instance.watch.size(), 1);
    assert.equal(instance.watch.expiresAt(session.id), session.expiresAt);
    second();
    assert.equal(instance.watch.size(), 0);
    assert.equal(instance.watch.expiresAt(session.id), null);
  });
});

describe('session watch over redis', () => {
  let server: RedisServer;
  let instances: (Instance & { redis: RedisConnections })[];

  before(async function () {
    requirePart(this, 'redis-server');
    // Data survives a restart unless a test deletes it.
    server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    await server.cli('FLUSHALL');
    instances = [];
    while (instances.length < 2) {
      const redis = await connectRedis(server);
      instances.push({ redis, ...watchOver(createRedisSessionStore({ redis, secrets: ['s'] })) });
    }
  });
  afterEach(async () => {
    for (const instance of instances) {
      await instance.stop();
      await instance.redis.stop();
    }
  });

  /** A session of an original app and one of ours, connected on both instances. */
  async function connect(): Promise<{ plain: string; own: string }> {
    const plain = randomUUID();
    const { credential: _credential, ...place } = target;
    await server.cli('SETEX', `ssh_session:${plain}`, '10200', JSON.stringify({ ...place, password: 'pw' }));
    const [first] = instances;
    assert.ok(first);
    const { token: own } = await first.store.create(target);
    for (const { store, watch } of instances) {
      for (const token of [plain, own]) {
        const session = await store.get(token);
        assert.ok(session);
        watch.register(token, session);
      }
    }
    return { plain, own };
  }

  const reasons = (): string[][] => instances.map(({ ends }) => ends.map(({ reason }) => reason));
  const alive = async (tokens: string[]): Promise<boolean> =>
    (await Promise.all(instances.flatMap(({ store }) => tokens.map((token) => store.get(token))))).every(
      Boolean,
    );

  it('[SIO-8] ends a session on all instances within 1 s when an original app deletes its key', async () => {
    const { plain } = await connect();
    await server.cli('DEL', `ssh_session:${plain}`);
    await within1s(() => assert.deepEqual(reasons(), [['logout'], ['logout']]));
  });

  it('[SIO-8] ends a session on all instances within 1 s when one revokes it', async () => {
    const { own } = await connect();
    await instances[0]?.store.revoke(own, 'revoked');
    await within1s(() => assert.deepEqual(reasons(), [['revoked'], ['revoked']]));
  });

  it('[SES-7] ends nothing when Redis loses its data, and puts the sessions back', async () => {
    const { plain, own } = await connect();
    await server.cli('FLUSHALL');
    await until(() => alive([plain, own]), 3000);
    assert.deepEqual(reasons(), [[], []]);
  });

  it('[SES-7] ends nothing when Redis is away and comes back empty, or with its data', async () => {
    const { plain, own } = await connect();
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await server.restart();
    await until(() => alive([plain, own]).catch(() => false), 8000);
    await server.cli('FLUSHALL');
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await server.restart();
    await until(() => alive([plain, own]).catch(() => false), 8000);
    assert.deepEqual(reasons(), [[], []]);
    // And a session that was put back can be ended like any other.
    await instances[0]?.store.revoke(plain);
    await within1s(() => assert.deepEqual(reasons(), [['logout'], ['logout']]));
  });

  it('[SES-7] puts sessions back as soon as Redis is back, not with the next look', async () => {
    const [first] = instances;
    assert.ok(first);
    const { token, session } = await first.store.create(target);
    const watch = createSessionWatch({
      store: first.store,
      maxAgeMs: MAX_AGE,
      logger: createRecordLogger(),
      onEnd: () => {},
      pollMs: 60_000,
    });
    watch.register(token, session);
    first.redis.onUp(watch.check);
    await server.cli('FLUSHALL');
    await server.kill();
    await until(() => !first.redis.isUp());
    await server.restart();
    await until(() => first.redis.isUp());
    await until(async () => (await first.store.get(token).catch(() => null)) !== null, 1000);
    await watch.stop();
  });

  it('[SIO-8] sees a logout that happened while it could not reach Redis', async () => {
    const { plain } = await connect();
    server.freeze();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    server.thaw();
    await server.cli('DEL', `ssh_session:${plain}`);
    await until(() => reasons().every((list) => list[0] === 'logout'), 5000);
  });

  it('watches thousands of sessions within the second', async () => {
    const [first, second] = instances;
    assert.ok(first && second);
    const sessions = await Promise.all(Array.from({ length: 3000 }, () => first.store.create(target)));
    for (const { token, session } of sessions) second.watch.register(token, session);
    const last = sessions.at(-1);
    assert.ok(last);
    await first.store.revoke(last.token);
    await within1s(() => assert.equal(second.ends.length, 1));
    await server.cli('FLUSHALL');
    await until(
      async () =>
        (await second.store.fates(sessions.map(({ token }) => token))).filter((fate) => fate === 'alive')
          .length === 2999,
    );
    assert.equal(second.ends.length, 1);
  });
});
