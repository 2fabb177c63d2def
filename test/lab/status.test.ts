import assert from 'node:assert/strict';
import { createMemoryLeases } from '../../server/cluster/memory.ts';
import type { Logger } from '../../server/core/types.ts';
import { createJournalReader } from '../../server/logs/journal/reader.ts';
import { createSshPool } from '../../server/ssh/pool.ts';
import { createTargetPolicy } from '../../server/ssh/target-policy.ts';
import type { SshPool, SshTarget } from '../../server/ssh/types.ts';
import { systemClock } from '../../server/status/clock.ts';
import { createStatusFeed } from '../../server/status/feed.ts';
import { createMemoryBoard } from '../../server/status/memory-board.ts';
import { createProber } from '../../server/status/prober.ts';
import type { StatusFeed, StatusViewer } from '../../server/status/types.ts';
import type { StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/until.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const SERVICES = ['execution', 'consensus', 'validator', 'mevboost', 'charon'];
/** How the follow of systemd's messages looks in the host's process list. */
const FOLLOW = /journalctl .*--follow.*_PID=1/;

describe('status of a real host', function () {
  this.timeout(40_000);
  let lab: TestLab;
  let host: TestHost;
  let pool: SshPool;
  let feed: StatusFeed;
  /** Commands that asked for the units' status. */
  let probes = 0;

  before(async function () {
    requirePart(this, 'lab');
    this.timeout(LAB_TIMEOUT_MS);
    lab = await useLab();
    host = lab.hosts[0];
  });
  after(() => lab?.release());

  beforeEach(async () => {
    await lab.release();
    pool = createSshPool({
      hostKeys: { check: async () => ({ firstSeen: new Date().toISOString(), pinned: true }) },
      targets: createTargetPolicy({ allowed: [lab.subnet] }),
      logger: silent,
    });
    feed = createFeed(pool);
  });
  afterEach(async () => {
    await feed.stop();
    await pool.stop();
    await until(() => host.countProcesses(FOLLOW) === 0, 5000);
  });

  function createFeed(over: SshPool): StatusFeed {
    const reader = createJournalReader({ pool: over, logger: silent });
    const probe = createProber({ pool: over });
    return createStatusFeed({
      probe: (...args) => {
        probes += 1;
        return probe(...args);
      },
      follow: (target, source, { signal }) =>
        reader.read(target, { source, start: { lines: 0 }, follow: true }, signal),
      lastLines: async (target, service, { count, untilMs }, { signal }) => {
        const source = { matches: [`_SYSTEMD_UNIT=${service}.service`], fields: [] };
        const query = { source, start: { lines: count }, untilUs: untilMs * 1000 };
        const lines: string[] = [];
        for await (const records of reader.read(target, query, signal))
          lines.push(...records.map(({ message }) => message));
        return lines;
      },
      leases: createMemoryLeases(),
      board: createMemoryBoard({ clock: systemClock }),
      clock: systemClock,
      random: Math.random,
      logger: silent,
      instanceId: 'one',
    });
  }

  const targetOf = (user: keyof TestHost['users']): SshTarget => ({
    host: host.address,
    port: host.port,
    username: host.users[user].username,
    credential: { method: 'password', password: host.users[user].password },
  });

  /** A viewer that keeps what it got; `status` is the newest of a unit. */
  function createViewer(interval: number, user: keyof TestHost['users'] = 'ethnode', services = SERVICES) {
    const lists: UnitStatus[][] = [];
    const transitions: StatusTransition[] = [];
    const errors: string[] = [];
    const viewer: StatusViewer = {
      target: targetOf(user),
      services,
      interval,
      onUpdate: (list) => lists.push(list),
      onTransition: (transition) => transitions.push(transition),
      onError: ({ code }) => errors.push(code),
    };
    const status = (service: string) => lists.at(-1)?.find((unit) => unit.service === service);
    return { viewer, lists, transitions, errors, status };
  }

  /** Subscribes, and waits until the host is followed and nothing is due any more before the next interval. */
  async function watchQuietly(
    interval: number,
    user: keyof TestHost['users'] = 'ethnode',
    services = SERVICES,
  ) {
    const watching = createViewer(interval, user, services);
    feed.subscribe(watching.viewer);
    await until(() => watching.lists.length > 0, 10_000);
    // Through sudo there may be two: sudo itself waits beside what it runs.
    await until(() => host.countProcesses(FOLLOW) >= 1, 10_000);
    // A second after the follow has begun the host is asked once more; what comes behind that comes from systemd.
    const asked = probes;
    await until(() => probes > asked, 3000);
    await until(() => pool.stats().channels === 1, 3000);
    return watching;
  }

  it('[SIO-6] running, stopped, failed and missing units have their words', async () => {
    await host.stop('consensus');
    const { viewer, lists, status, errors } = createViewer(5000);
    feed.subscribe(viewer);
    await until(() => lists.length > 0, 10_000);
    assert.deepEqual(
      lists[0]?.map((unit) => `${unit.service} ${unit.status}`),
      [
        'execution active',
        'consensus inactive',
        'validator active',
        'mevboost not_installed',
        'charon failed',
      ],
    );
    const execution = status('execution');
    assert.equal(execution?.client, 'geth');
    assert.equal(execution?.subState, 'running');
    assert.ok((execution?.pid ?? 0) > 0);
    assert.ok(Math.abs(Date.now() - Date.parse(execution?.since ?? '')) < 3_600_000, execution?.since);
    const charon = status('charon');
    assert.equal(charon?.result, 'exit-code');
    assert.equal(charon?.exitCode, 3);
    assert.equal(charon?.client, 'charon');
    assert.deepEqual(status('mevboost'), { service: 'mevboost', status: 'not_installed' });
    assert.deepEqual(errors, []);
  });

  for (const user of ['ethnode', 'sudoer'] as const) {
    it(`[SIO-6] a stop is seen within 1 s although the interval is 30 s (${user})`, async () => {
      const { status, transitions } = await watchQuietly(30_000, user);
      assert.equal(status('consensus')?.status, 'active');
      await host.log('consensus', ['one before last', 'last line']);
      const began = Date.now();
      await host.stop('consensus');
      await until(() => status('consensus')?.status === 'inactive', 1000);
      await until(() => transitions.some(({ to }) => to === 'inactive'), 5000);
      const stop = transitions.find(({ to }) => to === 'inactive');
      assert.match(stop?.cause ?? '', /^Stopped consensus\.service/);
      assert.deepEqual(stop?.lines.slice(-2), ['one before last', 'last line']);
      assert.ok(Math.abs(Date.parse(stop?.at ?? '') - began) < 2000, stop?.at);
    });
  }

  it('a crash shows its exit code, then the restart; the restarts are counted', async () => {
    const { status, transitions } = await watchQuietly(30_000);
    const restarts = status('execution')?.restarts ?? 0;
    const pid = status('execution')?.pid;
    await host.exitUnit('execution', 7);
    await until(() => status('execution')?.subState === 'auto-restart', 1000);
    assert.equal(status('execution')?.status, 'activating');
    assert.equal(status('execution')?.exitCode, 7);
    await until(() => status('execution')?.status === 'active', 5000);
    assert.equal(status('execution')?.restarts, restarts + 1);
    assert.notEqual(status('execution')?.pid, pid);
    await until(() => transitions.length >= 2, 5000);
    const [crash, back] = transitions;
    assert.equal(`${crash?.from} ${crash?.to}`, 'active activating');
    assert.match(crash?.cause ?? '', /Main process exited, code=exited, status=7/);
    assert.equal(back?.to, 'active');
    assert.match(back?.cause ?? '', /^Started execution\.service/);
  });

  it('a masked unit is inactive and says that it is masked; masking is seen at once', async () => {
    // A unit of the distribution: those in /etc cannot be masked.
    const { status } = await watchQuietly(30_000, 'ethnode', [...SERVICES, 'rc-local']);
    assert.equal(status('rc-local')?.subState, 'dead');
    await host.exec(['systemctl', 'mask', '--runtime', 'rc-local']);
    try {
      await until(() => status('rc-local')?.subState === 'masked', 2000);
      assert.equal(status('rc-local')?.status, 'inactive');
    } finally {
      await host.exec(['systemctl', 'unmask', '--runtime', 'rc-local']);
    }
    await until(() => status('rc-local')?.subState === 'dead', 2000);
  });

  it('[LOG-7] without a right to the journal the poll goes on, at the interval (nojournal, asksudo)', async () => {
    const watching = (['nojournal', 'asksudo'] as const).map((user) => createViewer(1000, user));
    for (const { viewer } of watching) feed.subscribe(viewer);
    await until(() => watching.every(({ lists }) => lists.length > 3), 10_000);
    await host.stop('consensus');
    await until(() => watching.every(({ status }) => status('consensus')?.status === 'inactive'), 2000);
    for (const { errors } of watching) assert.deepEqual(errors, []);
    assert.equal(host.countProcesses(/^(sudo|journalctl)\b/), 0);
  });

  it('[LOG-1] one journalctl for 50 viewers, none after the last has left', async () => {
    const first = await watchQuietly(30_000);
    const viewers = Array.from({ length: 49 }, (_, at) => createViewer(1000 + 500 * at));
    const seats = viewers.map(({ viewer }) => feed.subscribe(viewer));
    const all = [first, ...viewers];
    await until(() => all.every(({ lists }) => lists.length > 0), 3000);
    await host.stop('consensus');
    await until(() => all.every(({ status }) => status('consensus')?.status === 'inactive'), 1000);
    assert.equal(host.countProcesses(FOLLOW), 1);
    assert.equal(pool.stats().connections, 1);
    for (const seat of seats) seat.unsubscribe();
    assert.equal(host.countProcesses(FOLLOW), 1);
    await feed.stop();
    // The host's process is gone before its channel is closed here.
    await until(() => host.countProcesses(/journalctl/) === 0 && pool.stats().channels === 0, 3000);
  });

  it('[LOG-5] the follow ends 10 s after the last viewer', async () => {
    const { viewer, lists } = createViewer(30_000);
    const seat = feed.subscribe(viewer);
    await until(() => lists.length > 0 && host.countProcesses(FOLLOW) === 1, 10_000);
    const left = Date.now();
    seat.unsubscribe();
    await until(() => host.countProcesses(/journalctl/) === 0, 15_000);
    assert.ok(Date.now() - left > 5000, 'it lingers, so that a page may be loaded anew');
    // The host's process is gone before its channel is closed here.
    await until(() => feed.stats().hosts === 0 && pool.stats().channels === 0);
    assert.equal(feed.stats().viewers, 0);
  });

  it('a connection that dies is replaced, and nothing is reported as down', async () => {
    const { status, transitions, lists } = await watchQuietly(30_000);
    assert.ok(host.killSshd() > 0);
    await until(() => host.countProcesses(FOLLOW) === 1 && pool.stats().connections === 1, 10_000);
    await until(() => status('consensus')?.status === 'active', 5000);
    const before = lists.length;
    await host.stop('consensus');
    await until(() => status('consensus')?.status === 'inactive', 3000);
    assert.ok(lists.length > before);
    await until(() => transitions.length > 0, 3000);
    assert.deepEqual(
      transitions.map(({ service, from, to }) => `${service} ${from} ${to}`),
      ['consensus active inactive'],
    );
  });

  it('a host that is cut off: units unknown, the reason once, and recovery by itself', async () => {
    const { status, errors } = await watchQuietly(2000);
    await host.cutNetwork();
    await until(() => status('execution')?.status === 'unknown', 20_000);
    assert.equal(errors.length, 1);
    await host.restoreNetwork();
    await until(() => status('execution')?.status === 'active', 20_000);
  });
});
