import assert from 'node:assert/strict';
import type { LeaseManager } from '../../../server/cluster/types.ts';
import { AppError } from '../../../server/core/errors.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { login, type StatusRig, useStatusRig } from '../../support/status-rig.ts';

describe('status feed', () => {
  let clock: FakeClock;
  let host: StatusRig['host'];
  let leases: LeaseManager;
  const { createFeed, createViewer } = useStatusRig((rig) => {
    ({ clock, host, leases } = rig);
  });

  it('[SIO-6] a viewer gets a full list at once and then at its interval', async () => {
    const { viewer, got } = createViewer(5000);
    createFeed().subscribe(viewer);
    await clock.advance(100);
    assert.deepEqual(got.lists, [{ at: 20, words: 'active active' }]);
    await clock.advance(20_000);
    // One probe is 1 s after the follow began; it changes no rhythm the viewer would notice.
    assert.ok(got.lists.length >= 4 && got.lists.length <= 5, JSON.stringify(got.lists));
    const pauses = got.lists.slice(1).map(({ at }, index) => at - (got.lists[index]?.at ?? 0));
    for (const pause of pauses) assert.ok(pause <= 6100, JSON.stringify(got.lists));
  });

  it('one poll serves all viewers of a host, at the smallest interval, each at its own pace', async () => {
    const feed = createFeed();
    const viewers = Array.from({ length: 50 }, (_, at) => createViewer([2000, 3000, 10_000][at % 3] ?? 0));
    for (const { viewer } of viewers) feed.subscribe(viewer);
    await clock.advance(3000);
    const before = host.probes.length;
    for (const { got } of viewers) got.lists.length = 0;
    await clock.advance(30_000);
    const polls = host.probes.length - before;
    assert.ok(polls >= 14 && polls <= 16, `${polls} probes in 30 s`);
    assert.equal(host.mostRunning, 1);
    assert.equal(host.followsBegun, 1);
    for (const [at, expected] of [15, 10, 3].entries()) {
      const count = viewers[at]?.got.lists.length ?? 0;
      assert.ok(Math.abs(count - expected) <= 1, `viewer ${at} got ${count} lists instead of ${expected}`);
    }
    assert.deepEqual(feed.stats(), { hosts: 1, viewers: 50 });
  });

  it('a later viewer gets the shared list at once, or a fresh one where that is too old for it', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(60_000).viewer);
    await clock.advance(2000);
    const probes = host.probes.length;
    const patient = createViewer(60_000);
    feed.subscribe(patient.viewer);
    assert.equal(patient.got.lists.length, 1);
    await clock.advance(5000);
    assert.equal(host.probes.length, probes);
    const impatient = createViewer(2000);
    feed.subscribe(impatient.viewer);
    assert.equal(impatient.got.lists.length, 0);
    await clock.advance(50);
    assert.equal(impatient.got.lists.length, 1);
    assert.equal(host.probes.length, probes + 1);
  });

  it('a viewer with other units gets those', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(60_000).viewer);
    await clock.advance(2000);
    const other = createViewer(60_000, login('a'), ['mevboost', 'execution']);
    feed.subscribe(other.viewer);
    await clock.advance(50);
    assert.deepEqual(
      other.got.lists.map(({ words }) => words),
      ['not_installed active'],
    );
  });

  it('[SIO-6] a change reaches everyone at once, with its cause and the last lines', async () => {
    const asked: unknown[] = [];
    const feed = createFeed({
      lastLines: async (_target, service, query) => {
        asked.push({ service, ...query });
        return ['almost done', 'bye'];
      },
    });
    const slow = createViewer(30_000);
    const slower = createViewer(300_000);
    feed.subscribe(slow.viewer);
    feed.subscribe(slower.viewer);
    await clock.advance(3000);
    const probes = host.probes.length;
    host.units.set('execution', 'failed');
    const at = clock.now();
    host.say(
      'execution',
      'Main process exited, code=exited, status=1/FAILURE',
      '98e322203f7a4ed290d09fe03c09fe15',
    );
    host.say('execution', "Failed with result 'exit-code'.", 'd9b373ed55a64feb8242e02dbe79a49c');
    await clock.advance(200);
    for (const { got } of [slow, slower]) {
      assert.equal(got.lists.at(-1)?.words, 'failed active');
      assert.deepEqual(got.transitions, [
        {
          service: 'execution',
          from: 'active',
          to: 'failed',
          at: new Date(at).toISOString(),
          cause: 'Main process exited, code=exited, status=1/FAILURE',
          lines: ['almost done', 'bye'],
        },
      ]);
    }
    assert.equal(host.probes.length, probes + 1);
    assert.deepEqual(asked, [{ service: 'execution', count: 10, untilMs: at }]);
  });

  it('lines that cannot be had delay no transition for long', async () => {
    const feed = createFeed({
      lastLines: (_target, _service, _query, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new AppError('ssh_busy')));
        }),
    });
    const { viewer, got } = createViewer(30_000);
    feed.subscribe(viewer);
    await clock.advance(3000);
    host.units.set('execution', 'inactive');
    host.say('execution', 'Stopped.');
    await clock.advance(200);
    assert.equal(got.lists.at(-1)?.words, 'inactive active');
    await clock.advance(2500);
    assert.deepEqual(got.transitions[0]?.lines, []);
  });

  it('news of units that nobody watches costs nothing', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(30_000).viewer);
    await clock.advance(3000);
    const probes = host.probes.length;
    for (let turn = 0; turn < 20; turn++) host.say(`session-${turn}`, 'Started.');
    await clock.advance(1000);
    assert.equal(host.probes.length, probes);
  });

  it('a flood of news costs five probes a second at most', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(30_000).viewer);
    await clock.advance(3000);
    const probes = host.probes.length;
    for (let turn = 0; turn < 100; turn++) {
      host.say('execution', 'Started.');
      await clock.advance(10);
    }
    const spent = host.probes.length - probes;
    assert.ok(spent >= 3 && spent <= 5, `${spent} probes`);
  });

  it('a slow host is never asked twice at a time, and news during a probe is not lost', async () => {
    const feed = createFeed();
    const { viewer, got } = createViewer(30_000);
    feed.subscribe(viewer);
    await clock.advance(3000);
    host.delay = 3000;
    host.say('execution', 'Stopping...');
    await clock.advance(1000);
    const asked = host.probes.length;
    feed.subscribe(createViewer(1000, login('a'), ['other']).viewer);
    host.say('execution', 'Stopped.');
    host.units.set('execution', 'inactive');
    await clock.advance(6000);
    assert.equal(host.mostRunning, 1);
    assert.ok(host.probes.length > asked);
    assert.equal(got.lists.at(-1)?.words, 'inactive active');
  });

  it('a viewer that came between two polls waits no longer than its interval either', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(5000).viewer);
    await clock.advance(3000);
    const { viewer, got } = createViewer(5000);
    feed.subscribe(viewer);
    await clock.advance(60_000);
    const times = got.lists.map(({ at }) => at);
    for (const [index, at] of times.slice(1).entries())
      assert.ok(at - (times[index] ?? 0) <= 5100, String(times));
    assert.ok(Math.abs(times.length - 13) <= 1, String(times));
  });

  it('what changed behind an answer without the unit is still told', async () => {
    const { viewer, got } = createViewer(1000);
    createFeed().subscribe(viewer);
    await clock.advance(3000);
    host.units.set('execution', 'unknown');
    await clock.advance(3000);
    host.units.set('execution', 'failed');
    await clock.advance(3000);
    assert.deepEqual(
      got.transitions.map(({ from, to }) => `${from} ${to}`),
      ['active failed'],
    );
  });

  it('[LOG-5] after the last viewer nothing stays: no poll at once, no follow after 10 s', async () => {
    const feed = createFeed();
    const seat = feed.subscribe(createViewer(1000).viewer);
    await clock.advance(3000);
    seat.unsubscribe();
    seat.unsubscribe();
    const probes = host.probes.length;
    await clock.advance(9000);
    assert.equal(host.follows.size, 1);
    await clock.advance(1500);
    assert.equal(host.follows.size, 0);
    assert.equal(host.probes.length, probes);
    assert.deepEqual(feed.stats(), { hosts: 0, viewers: 0 });
    assert.equal(clock.pending(), 0);
    const lease = await leases.acquire('status:node.example:22+op');
    assert.ok(lease);
    await lease.release();
  });

  it('a viewer who comes back meanwhile finds everything running', async () => {
    const feed = createFeed();
    feed.subscribe(createViewer(30_000).viewer).unsubscribe();
    await clock.advance(5000);
    const again = createViewer(30_000);
    feed.subscribe(again.viewer);
    await clock.advance(20_000);
    assert.equal(host.followsBegun, 1);
    assert.equal(host.follows.size, 1);
    const before = again.got.lists.length;
    await clock.advance(30_000);
    assert.ok(again.got.lists.length > before);
  });

  it('[SIO-6] the interval can be changed, and stays within its bounds', async () => {
    const feed = createFeed();
    const { viewer, got } = createViewer(300_000);
    const seat = feed.subscribe(viewer);
    await clock.advance(3000);
    seat.setInterval(1);
    await clock.advance(1000);
    const before = got.lists.length;
    await clock.advance(10_000);
    assert.ok(Math.abs(got.lists.length - before - 10) <= 1, `${got.lists.length - before} lists in 10 s`);
    seat.setInterval(Number.NaN);
    await clock.advance(1000);
    const probes = host.probes.length;
    await clock.advance(200_000);
    assert.equal(host.probes.length, probes);
  });

  it('[SIO-9] wrong unit names and a stopped feed take no viewer', async () => {
    const feed = createFeed();
    assert.throws(() => feed.subscribe(createViewer(1000, login('a'), ['*']).viewer), {
      code: 'invalid_service',
    });
    assert.throws(() => feed.subscribe(createViewer(1000, login('a'), ['x.service']).viewer), {
      code: 'invalid_service',
    });
    await feed.stop();
    await feed.stop();
    assert.throws(() => feed.subscribe(createViewer(1000).viewer), { code: 'draining' });
    assert.equal(host.probes.length, 0);
  });

  it("a viewer's failing callback harms no other", async () => {
    const feed = createFeed();
    const broken = createViewer(1000).viewer;
    broken.onUpdate = () => {
      throw new Error('broken');
    };
    const fine = createViewer(1000);
    feed.subscribe(broken);
    feed.subscribe(fine.viewer);
    await clock.advance(5500);
    assert.ok(fine.got.lists.length >= 5);
  });
});
