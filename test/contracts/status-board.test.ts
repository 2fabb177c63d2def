import assert from 'node:assert/strict';
import { createBus } from '../../server/cluster/bus.ts';
import { sleep } from '../../server/core/sleep.ts';
import { createMemoryBoard } from '../../server/status/memory-board.ts';
import { createRedisBoard } from '../../server/status/redis-board.ts';
import type { HostSnapshot, StatusBoard } from '../../server/status/types.ts';
import type { StatusTransition } from '../../shared/node-status.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { connectRedis, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

interface Rig {
  /** The board as two instances see it. */
  one: StatusBoard;
  two: StatusBoard;
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** Every form of the board is held to the same rules. */
const FORMS: Record<string, () => Promise<Rig>> = {
  memory: async () => {
    const clock = createFakeClock();
    const board = createMemoryBoard({ clock });
    return { one: board, two: board, pass: (ms) => clock.advance(ms), stop: () => board.stop() };
  },
  redis: async () => {
    const server = await startRedis();
    const redis = await connectRedis(server);
    // The bus of two instances, without the adapter that carries it between processes.
    const buses = [
      createBus((...news) => buses[1]?.deliver(...news)),
      createBus((...news) => buses[0]?.deliver(...news)),
    ] as const;
    const [one, two] = [
      createRedisBoard({ redis, bus: buses[0] }),
      createRedisBoard({ redis, bus: buses[1] }),
    ];
    return {
      one,
      two,
      pass: (ms) => sleep(ms),
      async stop() {
        await Promise.all([one.stop(), two.stop()]);
        await redis.stop();
        await server.stop();
      },
    };
  },
};

const snapshot = (fence: number, more: Partial<HostSnapshot> = {}): HostSnapshot => ({
  by: 'one',
  fence,
  at: 1000,
  every: 5000,
  units: [{ service: 'execution', status: 'active' }],
  error: null,
  changed: false,
  ...more,
});

for (const [form, create] of Object.entries(FORMS)) {
  describe(`status board (${form})`, () => {
    let rig: Rig;
    let seen: HostSnapshot[];
    let told: StatusTransition[];
    let unlisten: () => void;

    beforeEach(async () => {
      rig = await create();
      seen = [];
      told = [];
      unlisten = rig.two.onPublish('a', {
        onSnapshot: (next) => seen.push(next),
        onTransitions: (_by, list) => told.push(...list),
      });
    });
    afterEach(() => rig.stop());

    it('shows the newest snapshot, and tells who listens', async () => {
      assert.equal(await rig.two.read('a'), null);
      assert.equal(await rig.one.publish('a', snapshot(1)), true);
      assert.equal(await rig.one.publish('a', snapshot(1, { at: 2000 })), true);
      await until(() => seen.length === 2);
      assert.deepEqual(await rig.two.read('a'), snapshot(1, { at: 2000 }));
      assert.deepEqual(
        seen.map(({ at }) => at),
        [1000, 2000],
      );
    });

    it('refuses an older fence', async () => {
      await rig.one.publish('a', snapshot(5));
      assert.equal(await rig.one.publish('a', snapshot(4, { at: 9000 })), false);
      assert.equal((await rig.two.read('a'))?.at, 1000);
      assert.equal(await rig.one.publish('a', snapshot(6)), true);
      await until(() => seen.length === 2);
    });

    it('keeps hosts apart', async () => {
      await rig.one.publish('b', snapshot(1));
      await rig.one.wish('b', 'one', { interval: 1000, services: [] }, 30_000);
      assert.equal(await rig.two.read('a'), null);
      assert.equal((await rig.two.wishes('a')).size, 0);
      assert.deepEqual(seen, []);
    });

    it('passes transitions on', async () => {
      const change: StatusTransition = {
        service: 'execution',
        from: 'active',
        to: 'failed',
        at: '2026-01-01T00:00:00.000Z',
        cause: '',
        lines: [],
      };
      await rig.one.announce('a', 'one', [change]);
      await until(() => told.length === 1);
      assert.deepEqual(told, [change]);
    });

    it('who ends listening hears nothing more', async () => {
      const other: HostSnapshot[] = [];
      const stop = rig.two.onPublish('a', { onSnapshot: (next) => other.push(next), onTransitions() {} });
      unlisten();
      await rig.one.publish('a', snapshot(1));
      await until(() => other.length === 1);
      stop();
      assert.deepEqual(seen, []);
    });

    it('keeps wishes until they are taken back or run out', async () => {
      let hints = 0;
      const stop = rig.one.onWish('a', () => {
        hints += 1;
      });
      const wish = { interval: 5000, services: ['execution'] };
      await rig.one.wish('a', 'one', wish, 60_000);
      await rig.two.wish('a', 'two', { interval: 1000, services: ['consensus'] }, 60_000);
      assert.equal((await rig.one.wishes('a')).size, 2);
      await rig.one.wish('a', 'one', wish, 300);
      await rig.pass(400);
      assert.deepEqual(
        await rig.one.wishes('a'),
        new Map([['two', { interval: 1000, services: ['consensus'] }]]),
      );
      await rig.two.wish('a', 'two', null, 0);
      assert.equal((await rig.one.wishes('a')).size, 0);
      await until(() => hints === 4);
      stop();
    });
  });
}
