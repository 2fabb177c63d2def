import assert from 'node:assert/strict';
import { createMemoryLeases } from '../../../server/cluster/memory.ts';
import { AppError } from '../../../server/core/errors.ts';
import { createStatusFeed } from '../../../server/status/feed.ts';
import { createMemoryBoard } from '../../../server/status/memory-board.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { login, passwordOf, type StatusRig, silent, useStatusRig } from '../../support/status-rig.ts';

describe('status feed of a host with troubles', () => {
  let clock: FakeClock;
  let host: StatusRig['host'];
  const { createFeed, createViewer, onStop } = useStatusRig((rig) => {
    ({ clock, host } = rig);
  });

  it('an outage that lasts is no news at each attempt', async () => {
    const { viewer, got } = createViewer(300_000);
    createFeed().subscribe(viewer);
    await clock.advance(3000);
    host.fail = new AppError('host_unreachable');
    host.say('execution', 'Stopped.');
    await clock.advance(100_000);
    assert.deepEqual(
      got.lists.map(({ words }) => words),
      ['active active', 'unknown unknown'],
    );
  });

  it('an unreachable host: unknown, one error, recovery by itself, no false alarm', async () => {
    const feed = createFeed();
    const { viewer, got } = createViewer(5000);
    feed.subscribe(viewer);
    await clock.advance(3000);
    host.fail = new AppError('host_unreachable');
    await clock.advance(60_000);
    assert.equal(got.lists.at(-1)?.words, 'unknown unknown');
    assert.deepEqual(got.errors, ['host_unreachable']);
    const late = createViewer(5000);
    feed.subscribe(late.viewer);
    assert.deepEqual(late.got.errors, ['host_unreachable']);
    assert.equal(late.got.lists[0]?.words, 'unknown unknown');
    host.fail = new AppError('ssh_closed');
    await clock.advance(60_000);
    assert.deepEqual(got.errors, ['host_unreachable', 'ssh_closed']);
    host.units.set('consensus', 'failed');
    host.fail = null;
    await clock.advance(31_000);
    assert.equal(got.lists.at(-1)?.words, 'active failed');
    assert.deepEqual(
      got.transitions.map(({ service, from, to }) => `${service} ${from} ${to}`),
      ['consensus active failed'],
    );
    assert.deepEqual(got.errors, ['host_unreachable', 'ssh_closed']);
  });

  it('a failing host is asked less and less often, at least every 30 s', async () => {
    host.fail = new AppError('host_unreachable');
    createFeed().subscribe(createViewer(1000).viewer);
    await clock.advance(120_000);
    assert.ok(host.probes.length >= 7 && host.probes.length <= 10, `${host.probes.length} probes`);
  });

  it('anything else that a probe throws is a failed check, without its text', async () => {
    const { viewer, got } = createViewer(1000);
    const feed = createFeed();
    host.probe = async () => {
      throw new Error('secret');
    };
    const own = createStatusFeed({
      probe: host.probe,
      follow: host.follow,
      leases: createMemoryLeases(),
      board: createMemoryBoard({ clock }),
      clock,
      random: () => 0,
      logger: silent,
      instanceId: 'two',
    });
    onStop(() => own.stop());
    own.subscribe(viewer);
    await clock.advance(100);
    assert.deepEqual(got.errors, ['status_failed']);
    assert.equal(feed.stats().viewers, 0);
  });

  it("when the viewer leaves whose login was used, another viewer's takes over without a pause", async () => {
    const feed = createFeed();
    const first = feed.subscribe(createViewer(2000, login('a')).viewer);
    const second = createViewer(2000, login('b'));
    feed.subscribe(second.viewer);
    await clock.advance(3000);
    assert.deepEqual(new Set(host.probes), new Set(['a']));
    host.probes.length = 0;
    first.unsubscribe();
    await clock.advance(10_000);
    assert.deepEqual(new Set(host.probes), new Set(['b']));
    assert.deepEqual(
      [...host.follows].map(({ target }) => passwordOf(target)),
      ['b'],
    );
    const times = second.got.lists.map(({ at }) => at);
    for (const [index, at] of times.slice(1).entries())
      assert.ok(at - (times[index] ?? 0) <= 3100, String(times));
    assert.deepEqual(second.got.errors, []);
    host.units.set('execution', 'inactive');
    host.say('execution', 'Stopped.');
    await clock.advance(200);
    assert.equal(second.got.lists.at(-1)?.words, 'inactive active');
  });

  it('viewers with the same login share the follow when one of them leaves', async () => {
    const feed = createFeed();
    const first = feed.subscribe(createViewer(2000, login('a')).viewer);
    feed.subscribe(createViewer(2000, login('a')).viewer);
    await clock.advance(3000);
    first.unsubscribe();
    await clock.advance(3000);
    assert.equal(host.followsBegun, 1);
  });

  it('a refused login is left alone, and a working one is used without a word', async () => {
    host.refused.add('wrong');
    const feed = createFeed();
    const wrong = createViewer(2000, login('wrong'));
    feed.subscribe(wrong.viewer);
    await clock.advance(30_000);
    assert.deepEqual(host.probes, ['wrong']);
    assert.deepEqual(wrong.got.errors, ['auth_failed']);
    const right = createViewer(2000, login('right'));
    feed.subscribe(right.viewer);
    await clock.advance(100);
    assert.equal(right.got.lists.at(-1)?.words, 'active active');
    assert.equal(wrong.got.lists.at(-1)?.words, 'active active');
    await clock.advance(30_000);
    assert.equal(host.probes.filter((password) => password === 'wrong').length, 1);
  });

  it('nobody hears of a refused login while another one works', async () => {
    host.refused.add('wrong');
    const feed = createFeed();
    const [wrong, right] = [createViewer(2000, login('wrong')), createViewer(2000, login('right'))];
    feed.subscribe(wrong.viewer);
    feed.subscribe(right.viewer);
    await clock.advance(10_000);
    for (const { got } of [wrong, right]) {
      assert.deepEqual(got.errors, []);
      assert.ok(got.lists.length > 3);
      assert.ok(got.lists.every(({ words }) => words === 'active active'));
    }
  });
});
