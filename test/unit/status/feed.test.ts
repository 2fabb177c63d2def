import assert from 'node:assert/strict';
import { createMemoryLeases } from '../../../server/cluster/memory.ts';
import type { LeaseManager } from '../../../server/cluster/types.ts';
import { AppError } from '../../../server/core/errors.ts';
import type { Logger } from '../../../server/core/types.ts';
import type { SshTarget } from '../../../server/ssh/types.ts';
import { createStatusFeed } from '../../../server/status/feed.ts';
import { createMemoryBoard } from '../../../server/status/memory-board.ts';
import type { LastLines, StatusBoard, StatusViewer, SystemdRecord } from '../../../server/status/types.ts';
import type { StatusTransition, StatusWord, UnitStatus } from '../../../shared/node-status.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const login = (password: string, host = 'node.example'): SshTarget => ({
  host,
  port: 22,
  username: 'op',
  credential: { method: 'password', password },
});
const passwordOf = ({ credential }: SshTarget) =>
  credential.method === 'password' ? credential.password : '';

/** A host whose units and answers the test decides. */
function createHost(clock: FakeClock) {
  const units = new Map<string, StatusWord>([
    ['execution', 'active'],
    ['consensus', 'active'],
  ]);
  const follows = new Set<{ target: SshTarget; push: (records: SystemdRecord[]) => void }>();
  const host = {
    units,
    follows,
    /** Logins of the probes, in order. */
    probes: [] as string[],
    /** Probes under way, and the most there ever were. */
    running: 0,
    mostRunning: 0,
    /** What an answer costs, in ms. */
    delay: 20,
    fail: null as AppError | null,
    refused: new Set<string>(),
    followsBegun: 0,
    /** What systemd says about a unit. */
    say(service: string, text: string, messageId = '') {
      const record = {
        realtimeUs: clock.now() * 1000,
        message: `${service}.service: ${text}`,
        extra: { UNIT: `${service}.service`, MESSAGE_ID: messageId },
      };
      for (const { push } of follows) push([record]);
    },
    async probe(target: SshTarget, services: readonly string[]): Promise<UnitStatus[]> {
      host.probes.push(passwordOf(target));
      host.running += 1;
      host.mostRunning = Math.max(host.mostRunning, host.running);
      await new Promise<void>((resolve) => {
        clock.after(host.delay, resolve);
      });
      host.running -= 1;
      if (host.fail) throw host.fail;
      if (host.refused.has(passwordOf(target))) throw new AppError('auth_failed');
      return services.map((service) => ({ service, status: units.get(service) ?? 'not_installed' }));
    },
    async *follow(target: SshTarget, _query: unknown, { signal }: { signal: AbortSignal }) {
      host.followsBegun += 1;
      let waiting: SystemdRecord[] = [];
      let wake = () => {};
      const me = {
        target,
        push(records: SystemdRecord[]) {
          waiting.push(...records);
          wake();
        },
      };
      signal.addEventListener('abort', () => wake());
      follows.add(me);
      try {
        while (!signal.aborted) {
          if (waiting.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
          const batch = waiting;
          waiting = [];
          yield batch;
        }
      } finally {
        follows.delete(me);
      }
    },
  };
  return host;
}

describe('status feed', () => {
  let clock: FakeClock;
  let host: ReturnType<typeof createHost>;
  let leases: LeaseManager;
  let board: StatusBoard;
  let stops: (() => Promise<void>)[];

  beforeEach(() => {
    clock = createFakeClock();
    host = createHost(clock);
    leases = createMemoryLeases();
    board = createMemoryBoard({ clock });
    stops = [];
  });
  afterEach(async () => {
    host.fail = null;
    const all = Promise.all(stops.map((stop) => stop()));
    await clock.advance(60_000);
    await all;
    assert.equal(host.follows.size, 0);
  });

  function createFeed(
    more: { leases?: LeaseManager; board?: StatusBoard; instanceId?: string; lastLines?: LastLines } = {},
  ) {
    const feed = createStatusFeed({
      probe: host.probe,
      follow: host.follow,
      leases,
      board,
      clock,
      random: () => 0,
      logger: silent,
      instanceId: 'one',
      ...more,
    });
    stops.push(() => feed.stop());
    return feed;
  }

  /** A viewer that writes down what it gets, with the time since the test began. */
  function createViewer(interval: number, target = login('a'), services = ['execution', 'consensus']) {
    const begun = clock.now();
    const got = {
      lists: [] as { at: number; words: string }[],
      transitions: [] as StatusTransition[],
      errors: [] as string[],
    };
    const viewer: StatusViewer = {
      target,
      services,
      interval,
      onUpdate: (list) =>
        got.lists.push({ at: clock.now() - begun, words: list.map(({ status }) => status).join(' ') }),
      onTransition: (transition) => got.transitions.push(transition),
      onError: (error) => got.errors.push(error.code),
    };
    return { viewer, got };
  }

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
    stops.push(() => own.stop());
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

  describe('on several instances', () => {
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
});
