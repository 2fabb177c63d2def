import assert from 'node:assert/strict';
import type { LeaseManager } from '../../../server/cluster/types.ts';
import { AppError } from '../../../server/core/errors.ts';
import type { StatusBoard } from '../../../server/status/types.ts';
import type { UnitStatus } from '../../../shared/node-status.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { login, passwordOf, type StatusRig, useStatusRig } from '../../support/status-rig.ts';

describe('status feed on several instances', () => {
  let clock: FakeClock;
  let host: StatusRig['host'];
  let leases: LeaseManager;
  let board: StatusBoard;
  const { createFeed, createViewer } = useStatusRig((rig) => {
    ({ clock, host, leases, board } = rig);
  });

  it('one of them polls and follows, all viewers see it', async () => {
    const one = createFeed({ instanceId: 'one' });
    const two = createFeed({ instanceId: 'two' });
    const here = createViewer(30_000, login('a'));
    const there = createViewer(2000, login('b'));
    one.subscribe(here.viewer);
    await clock.advance(2000);
    two.subscribe(there.viewer);
    await clock.advance(20_000);
    assert.deepEqual(new Set(host.probes), new Set(['a']));
    assert.equal(host.followsBegun, 1);
    assert.ok(there.got.lists.length >= 9, JSON.stringify(there.got.lists));
    host.units.set('execution', 'failed');
    host.say('execution', 'Failed.');
    await clock.advance(300);
    for (const { got } of [here, there]) {
      assert.equal(got.lists.at(-1)?.words, 'failed active');
      assert.equal(got.transitions.length, 1);
    }
  });

  it('when the polling one has no viewer left, another takes over at once', async () => {
    const one = createFeed({ instanceId: 'one' });
    const two = createFeed({ instanceId: 'two' });
    const seat = one.subscribe(createViewer(2000, login('a')).viewer);
    await clock.advance(1000);
    const there = createViewer(2000, login('b'));
    two.subscribe(there.viewer);
    await clock.advance(3000);
    seat.unsubscribe();
    host.probes.length = 0;
    await clock.advance(3000);
    assert.deepEqual(new Set(host.probes), new Set(['b']));
    assert.equal(host.follows.size, 1);
    assert.deepEqual(there.got.transitions, []);
    const times = there.got.lists.map(({ at }) => at);
    for (const [index, at] of times.slice(1).entries())
      assert.ok(at - (times[index] ?? 0) <= 3100, String(times));
  });

  it('one that lingers without viewers lets go as soon as another has some', async () => {
    const one = createFeed({ instanceId: 'one' });
    const two = createFeed({ instanceId: 'two' });
    one.subscribe(createViewer(2000, login('a')).viewer).unsubscribe();
    await clock.advance(2000);
    const there = createViewer(1000, login('b'));
    two.subscribe(there.viewer);
    await clock.advance(2500);
    assert.ok(there.got.lists.length >= 1);
    assert.deepEqual(
      [...host.follows].map(({ target }) => passwordOf(target)),
      ['b'],
    );
  });

  it('who takes over tells what changed in between, once', async () => {
    const one = createFeed({ instanceId: 'one' });
    const two = createFeed({ instanceId: 'two' });
    const seat = one.subscribe(createViewer(2000, login('a')).viewer);
    await clock.advance(1000);
    const there = createViewer(2000, login('b'));
    two.subscribe(there.viewer);
    await clock.advance(3000);
    seat.unsubscribe();
    host.units.set('consensus', 'failed');
    await clock.advance(10_000);
    assert.deepEqual(
      there.got.transitions.map(({ service, from, to }) => `${service} ${from} ${to}`),
      ['consensus active failed'],
    );
  });

  /** Leases of which the test may take one away, as another instance would. */
  function takeable() {
    const lost = new AbortController();
    const manager: LeaseManager = {
      ...leases,
      async acquire(name) {
        const lease = lost.signal.aborted ? null : await leases.acquire(name);
        return lease && { ...lease, lost: lost.signal };
      },
    };
    return { manager, take: () => lost.abort() };
  }

  it('an instance that lost its lease stops and reads what the other publishes', async () => {
    const { manager, take } = takeable();
    const { viewer, got } = createViewer(2000, login('a'));
    createFeed({ leases: manager }).subscribe(viewer);
    await clock.advance(2000);
    take();
    await clock.advance(100);
    host.probes.length = 0;
    const units: UnitStatus[] = ['execution', 'consensus'].map((service) => ({
      service,
      status: 'failed',
    }));
    const found = { fence: 99, at: clock.now(), every: 2000, error: null, changed: true, units };
    await board.publish('node.example:22+op', { ...found, by: 'two' });
    assert.equal(got.lists.at(-1)?.words, 'failed failed');
    await clock.advance(10_000);
    assert.deepEqual(host.probes, []);
    assert.equal(host.follows.size, 0);
  });

  it('a holder that wakes up too late is refused by the board and lets go', async () => {
    const { viewer } = createViewer(2000, login('a'));
    const released: string[] = [];
    const manager: LeaseManager = {
      ...leases,
      async acquire(name) {
        const lease = released.length > 0 ? null : await leases.acquire(name);
        return lease && { ...lease, release: () => lease.release().then(() => void released.push(name)) };
      },
    };
    createFeed({ leases: manager }).subscribe(viewer);
    await clock.advance(2000);
    const found = { fence: 99, at: clock.now(), every: 2000, error: null, changed: true, units: [] };
    await board.publish('node.example:22+op', { ...found, by: 'two' });
    host.probes.length = 0;
    await clock.advance(10_000);
    assert.deepEqual(released, ['status:node.example:22+op']);
    assert.equal(host.probes.length, 1);
    assert.equal(host.follows.size, 0);
  });

  it('while the store is away each polls for itself, a follow goes on, and order returns with the store', async () => {
    let away = false;
    const guard = <T>(call: () => Promise<T>): Promise<T> =>
      away ? Promise.reject(new AppError('store_unavailable')) : call();
    let held: AbortController[] = [];
    const flaky: LeaseManager = {
      ...leases,
      acquire: (name) =>
        guard(async () => {
          const lease = await leases.acquire(name);
          if (lease === null) return null;
          const lost = new AbortController();
          held.push(lost);
          return { ...lease, lost: AbortSignal.any([lost.signal, lease.lost]) };
        }),
    };
    const far: StatusBoard = {
      ...board,
      publish: (key, snapshot) => guard(() => board.publish(key, snapshot)),
      read: (key) => guard(() => board.read(key)),
      wish: (key, id, wish, ttl) => guard(() => board.wish(key, id, wish, ttl)),
      wishes: (key) => guard(() => board.wishes(key)),
    };
    const one = createFeed({ instanceId: 'one', leases: flaky, board: far });
    const two = createFeed({ instanceId: 'two', leases: flaky, board: far });
    const here = createViewer(2000, login('a'));
    const there = createViewer(2000, login('b'));
    one.subscribe(here.viewer);
    await clock.advance(1000);
    two.subscribe(there.viewer);
    await clock.advance(4000);
    assert.deepEqual(new Set(host.probes), new Set(['a']));
    away = true;
    for (const lost of held) lost.abort();
    held = [];
    await clock.advance(10_000);
    assert.deepEqual(new Set(host.probes), new Set(['a', 'b']));
    assert.equal(host.followsBegun, 1);
    host.units.set('execution', 'failed');
    host.say('execution', 'Failed.');
    await clock.advance(300);
    assert.equal(here.got.lists.at(-1)?.words, 'failed active');
    await clock.advance(2500);
    assert.equal(there.got.lists.at(-1)?.words, 'failed active');
    away = false;
    await leases.stop();
    await clock.advance(12_000);
    host.probes.length = 0;
    await clock.advance(10_000);
    assert.equal(new Set(host.probes).size, 1);
    assert.equal(host.follows.size, 1);
    assert.deepEqual([here.got.errors, there.got.errors], [[], []]);
  });
});
