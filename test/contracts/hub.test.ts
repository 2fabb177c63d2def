import assert from 'node:assert/strict';
import { createBus } from '../../server/cluster/bus.ts';
import { AppError } from '../../server/core/errors.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { createFieldLeases } from '../../server/redis/field-leases.ts';
import { compileFilter } from '../../server/rooms/filter.ts';
import { createMemoryHistory, createRedisHistory } from '../../server/rooms/history.ts';
import { createHub } from '../../server/rooms/hub.ts';
import { createMemoryPresence, createRedisPresence } from '../../server/rooms/presence.ts';
import type { Hub, HubMessage, Member } from '../../server/rooms/types.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

interface Rig {
  /** The hubs of two instances. */
  one: Hub;
  two: Hub;
  /** What went from one instance to the other: one entry for each publish on the bus. */
  crossed: unknown[];
  stop(): Promise<void>;
}

const MAX_PAYLOAD = 4096;

let server: RedisServer | undefined;

function createRig(
  stores: (instanceId: string) => Pick<Parameters<typeof createHub>[0], 'presence' | 'history'>,
) {
  const logger = createSilentLogger();
  const crossed: unknown[] = [];
  // Between processes the message is text.
  const copy = (message: unknown): unknown => {
    crossed.push(message);
    return JSON.parse(JSON.stringify(message));
  };
  const buses = [
    createBus((topic, message) => buses[1]?.deliver(topic, copy(message))),
    createBus((topic, message) => buses[0]?.deliver(topic, copy(message))),
  ] as const;
  const hub = (instanceId: string, bus: (typeof buses)[number]) =>
    createHub({ instanceId, bus, ...stores(instanceId), maxPayloadBytes: MAX_PAYLOAD, logger });
  const [one, two] = [hub('one', buses[0]), hub('two', buses[1])];
  return { one, two, crossed, stop: async () => void (await Promise.all([one.stop(), two.stop()])) };
}

const FORMS: Record<string, () => Promise<Rig>> = {
  memory: async () => {
    const board = new Map();
    const history = createMemoryHistory();
    return createRig((instanceId) => ({ presence: createMemoryPresence({ instanceId, board }), history }));
  },
  redis: async () => {
    server ??= await startRedis();
    const connections: RedisConnections[] = [];
    const connect = async () => {
      const redis = await connectRedis({ url: server?.url ?? '' });
      connections.push(redis);
      return redis;
    };
    const redis = { one: await connect(), two: await connect() };
    await redis.one.commands.flushall();
    const rig = createRig((instanceId) => {
      const own = redis[instanceId as 'one' | 'two'];
      return {
        presence: createRedisPresence({ redis: own, instanceId }),
        history: createRedisHistory({ redis: own }),
      };
    });
    return {
      ...rig,
      async stop() {
        await rig.stop();
        await Promise.all(connections.map((one) => one.stop()));
      },
    };
  },
};

/** A member that keeps what it gets. */
function listener(id: string, options: { echo?: boolean; hidden?: boolean } = {}) {
  const lists: (readonly HubMessage[])[] = [];
  const member: Member = {
    id,
    name: `name of ${id}`,
    echo: options.echo ?? true,
    hidden: options.hidden ?? false,
    receive: (messages) => void lists.push(messages),
  };
  return { member, lists, data: () => lists.flat().map(({ data }) => data) };
}

const say = (data: unknown, origin?: string) => ({
  from: 'somebody',
  data,
  kind: 'client' as const,
  ...(origin ? { origin } : {}),
});

const code = (wanted: string) => (error: unknown) => error instanceof AppError && error.code === wanted;

for (const [form, create] of Object.entries(FORMS)) {
  describe(`hub (${form})`, () => {
    let rig: Rig;

    before(function () {
      if (form === 'redis') requirePart(this, 'redis-server');
    });
    beforeEach(async () => {
      rig = await create();
    });
    afterEach(() => rig.stop());
    after(async () => {
      if (form === 'redis') await server?.stop();
    });

    it('[WS-6] a message reaches the members of its room on every instance, once, as one and the same', async () => {
      const [a, b, c] = [listener('a'), listener('b'), listener('c')];
      rig.one.join('room', a.member);
      rig.two.join('room', b.member);
      rig.two.join('other', c.member);
      const sent = rig.one.publish('room', say({ n: 1 }));
      await until(() => a.lists.length === 1 && b.lists.length === 1);
      for (const { lists } of [a, b]) {
        const [message] = lists.flat();
        assert.deepEqual(
          { ...message, data: message?.data },
          {
            room: 'room',
            from: 'somebody',
            data: { n: 1 },
            json: '{"n":1}',
            timestamp: sent.timestamp,
            id: sent.id,
            kind: 'client',
            origin: null,
            extra: undefined,
          },
        );
      }
      assert.deepEqual(c.lists, []);
    });

    it('[WS-6] what is published together crosses and arrives together, in order, and is shared by all members', async () => {
      const [a, b] = [listener('a'), listener('b')];
      rig.two.join('room', a.member);
      rig.two.join('room', b.member);
      for (let n = 0; n < 50; n += 1) rig.one.publish('room', say(n));
      await until(() => a.lists.length === 1);
      assert.equal(rig.crossed.length, 1);
      assert.deepEqual(a.data(), [...Array(50).keys()]);
      assert.equal(a.lists[0], b.lists[0]);
    });

    it('[WS-6] a publisher gets its own message only where it wants that', async () => {
      const [echo, quiet] = [listener('echo'), listener('quiet', { echo: false })];
      rig.one.join('room', echo.member);
      rig.one.join('room', quiet.member);
      rig.one.publish('room', say('from echo', 'echo'));
      rig.one.publish('room', say('from quiet', 'quiet'));
      await until(() => echo.lists.length === 1);
      assert.deepEqual(echo.data(), ['from echo', 'from quiet']);
      assert.deepEqual(quiet.data(), ['from echo']);
    });

    it('[WS-1] filters let through what equals, and the last join counts', async () => {
      const [some, all] = [listener('some'), listener('all')];
      rig.two.join('room', some.member, { filter: compileFilter({ 'agent.id': 7 }) });
      rig.two.join('room', all.member);
      rig.one.publish('room', say({ agent: { id: 7 } }));
      rig.one.publish('room', say({ agent: { id: 8 } }));
      await until(() => all.lists.length === 1);
      assert.deepEqual(some.data(), [{ agent: { id: 7 } }]);
      rig.two.join('room', some.member);
      rig.one.publish('room', say('anything'));
      await until(() => all.lists.length === 2);
      assert.deepEqual(some.data(), [{ agent: { id: 7 } }, 'anything']);
    });

    it('[WS-6] joining gets what comes after it, leaving what came before it', async () => {
      const [early, late] = [listener('early'), listener('late')];
      rig.one.join('room', early.member);
      rig.one.publish('room', say(1));
      rig.one.join('room', late.member);
      rig.one.publish('room', say(2));
      rig.one.leave('room', early.member);
      rig.one.publish('room', say(3));
      await until(() => late.data().length === 2);
      assert.deepEqual(early.data(), [1, 2]);
      assert.deepEqual(late.data(), [2, 3]);
    });

    it('[WS-4] a watch hears every matching room, each message once however many of them match', async () => {
      const watcher = listener('watcher');
      rig.two.join('a.b', watcher.member);
      const end = rig.two.watch('a.#', watcher.member);
      rig.two.watch('+.b', watcher.member, { may: (room) => room !== 'z.b' });
      for (const room of ['a.b', 'a.c', 'z.b', 'x.b', 'x.y']) rig.one.publish(room, say(room));
      await until(() => watcher.data().length === 3);
      assert.deepEqual(watcher.data(), ['a.b', 'a.c', 'x.b']);
      end();
      rig.one.publish('a.c', say('not any more'));
      rig.one.publish('a.b', say('still'));
      await until(() => watcher.data().length === 4);
      assert.equal(watcher.data().at(-1), 'still');
    });

    it('[WS-6] a member that fails harms only itself', async () => {
      const [bad, good] = [listener('bad'), listener('good')];
      rig.one.join('room', {
        ...bad.member,
        receive() {
          throw new Error('no');
        },
      });
      rig.one.join('room', good.member);
      rig.one.publish('room', say(1));
      await until(() => good.data().length === 1);
    });

    it('[WS-2] presence counts the members of all instances, hidden ones left out', async () => {
      const members = ['a', 'b', 'c', 'd'].map((id) => listener(id, { hidden: id === 'd' }).member);
      const [a, b, c, d] = members as [Member, Member, Member, Member];
      rig.one.join('room', a);
      rig.one.join('room', b);
      rig.two.join('room', c);
      rig.two.join('room', d);
      for (const hub of [rig.one, rig.two]) {
        await until(async () => (await hub.presence('room')).count === 3);
        const { who, instances } = await hub.presence('room');
        assert.deepEqual(who.sort(), ['name of a', 'name of b', 'name of c']);
        assert.deepEqual(
          new Map([...instances].sort()),
          new Map([
            ['one', 2],
            ['two', 1],
          ]),
        );
      }
      rig.one.leaveAll(a);
      rig.two.leaveAll(c);
      for (const hub of [rig.one, rig.two]) await until(async () => (await hub.presence('room')).count === 1);
      assert.deepEqual(rig.two.stats(), { rooms: 1, members: 1 });
    });

    it('[WS-2] who is announced is counted on every instance', async () => {
      for (let n = 0; n < 50; n += 1) {
        const name = `announced ${n}`;
        rig.one.join(name, listener(name).member);
        await rig.one.announced();
        assert.equal((await rig.two.presence(name)).count, 1);
      }
    });

    it('[WS-2] an instance that stops takes its members out of presence at once', async () => {
      rig.one.join('room', listener('a').member);
      rig.two.join('room', listener('b').member);
      await until(async () => (await rig.two.presence('room')).count === 2);
      await rig.one.stop();
      assert.equal((await rig.two.presence('room')).count, 1);
    });

    it('[WS-6] a room with history is resumed behind a message on any instance, each message once', async () => {
      for (const hub of [rig.one, rig.two]) hub.keepHistory('kept', 5);
      const live = listener('live');
      rig.two.join('kept', live.member);
      for (let n = 0; n < 8; n += 1) rig.one.publish('kept', say(n));
      await until(() => live.data().length === 8);
      const ids = live.lists.flat().map(({ id }) => id);
      const back = listener('back');
      const resumed = rig.two.resume('kept', back.member, ids[4] ?? '');
      rig.two.publish('kept', say(8));
      assert.deepEqual(await resumed, { recovered: true });
      await until(() => back.data().length === 4);
      assert.deepEqual(back.data(), [5, 6, 7, 8]);
      const lost = listener('lost');
      assert.deepEqual(await rig.two.resume('kept', lost.member, ids[0] ?? ''), { recovered: false });
      assert.deepEqual(await rig.two.resume('forgetful', lost.member, ids[0] ?? ''), { recovered: false });
      assert.deepEqual(
        (await rig.one.history('kept', 2)).map(({ data }) => data),
        [7, 8],
      );
      assert.deepEqual(await rig.one.history('forgetful', 2), []);
    });

    it('[SIO-10] what is resumed twice at a time comes once', async () => {
      const [live, back] = [listener('live'), listener('back')];
      for (const hub of [rig.one, rig.two]) hub.keepHistory('kept', 5);
      rig.two.join('kept', live.member);
      const { id } = rig.one.publish('kept', say('before'));
      rig.one.publish('kept', say('missed'));
      await until(() => live.data().length === 2);
      const both = await Promise.all([
        rig.two.resume('kept', back.member, id),
        rig.two.resume('kept', back.member, id),
      ]);
      assert.deepEqual(both, [{ recovered: true }, { recovered: true }]);
      rig.one.publish('kept', say('after'));
      await until(() => back.data().includes('after'));
      assert.deepEqual(back.data(), ['missed', 'after']);
    });

    it('[WS-5] bounds hold: names, size, depth, rooms of one member, reserved names', () => {
      const { member } = listener('a');
      for (const name of ['', ' ', 'a\nb', 'x'.repeat(201), '\ud800']) {
        assert.throws(() => rig.one.join(name, member), code('invalid_room'));
        assert.throws(() => rig.one.publish(name, say(1)), code('invalid_room'));
      }
      assert.throws(() => rig.one.publish('room', say('x'.repeat(MAX_PAYLOAD))), code('payload_too_large'));
      assert.throws(() => rig.one.publish('room', say(1n)), code('invalid_request'));
      let deep: unknown = 1;
      for (let n = 0; n < 100; n += 1) deep = [deep];
      assert.throws(() => rig.one.publish('room', say(deep)), code('invalid_request'));
      for (let n = 0; n < 100_000; n += 1) deep = [deep];
      assert.throws(() => rig.one.publish('room', say(deep)), code('invalid_request'));
      assert.throws(() => rig.one.publish('system.error', say(1)), code('forbidden'));
      for (let n = 0; n < 256; n += 1) rig.one.join(`room ${n}`, member);
      assert.throws(() => rig.one.join('one more', member), code('too_many_rooms'));
      assert.throws(() => rig.one.watch('#', member), code('too_many_rooms'));
      rig.one.leaveAll(member);
      assert.deepEqual(rig.one.stats(), { rooms: 0, members: 0 });
    });
  });
}

describe('presence in Redis', () => {
  /** How long presence outlives its instance here, in ms; a living one says again three times as often. */
  const PRESENCE_TTL_MS = 1500;
  let redis: RedisConnections;
  let own: RedisServer;

  before(async function () {
    requirePart(this, 'redis-server');
    own = await startRedis();
    redis = await connectRedis(own);
  });
  after(async () => {
    await redis?.stop();
    await own?.stop();
  });

  it('[WS-2] forgets an instance that was killed, and keeps one that lives', async () => {
    const dead = createRedisPresence({ redis, instanceId: 'dead', ttlMs: 60_000 });
    const alive = createRedisPresence({ redis, instanceId: 'alive', ttlMs: PRESENCE_TTL_MS });
    const reader = createRedisPresence({ redis, instanceId: 'reader' });
    alive.set('room', () => ({ count: 1, who: ['a'] }));
    await until(async () => (await reader.others('room')).size === 1);
    // What a killed instance leaves behind: said once, for a short time.
    const [key = ''] = await redis.commands.keys('*room-presence*');
    await createFieldLeases(redis).put('killed', [[key, '{"count":5,"who":[]}']], 1000);
    assert.ok((await reader.others('room')).has('killed'));
    await until(async () => {
      assert.deepEqual([...(await reader.others('room')).keys()], ['alive']);
      return true;
    });
    assert.ok((await redis.commands.pttl(key)) > 0, 'the key has an end');
    await Promise.all([dead.stop(), alive.stop(), reader.stop()]);
    assert.equal(await redis.commands.exists(key), 0);
  });

  it('[SES-7] tells a Redis that came back empty again', async () => {
    const alive = createRedisPresence({ redis, instanceId: 'alive', ttlMs: PRESENCE_TTL_MS });
    const reader = createRedisPresence({ redis, instanceId: 'reader' });
    alive.set('room', () => ({ count: 2, who: [] }));
    await until(async () => (await reader.others('room')).get('alive')?.count === 2);
    // Both are on their way before it can be said again.
    const emptied = redis.commands.flushall();
    assert.equal((await reader.others('room')).size, 0);
    await emptied;
    await until(async () => (await reader.others('room')).get('alive')?.count === 2);
    await Promise.all([alive.stop(), reader.stop()]);
  });
});
