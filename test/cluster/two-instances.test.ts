import assert from 'node:assert/strict';
import { lengthOf, type Span, watchProcessor } from '../../scripts/chaos/processor.ts';
import { createProduction, type Production } from '../../scripts/chaos/production.ts';
import type { LogGap } from '../../shared/events.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { type ClientSocket, startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

interface Watcher {
  socket: ClientSocket;
  /** Lines that the test printed, in the order they came. */
  lines: string[];
  ids: string[];
  gaps: LogGap[];
  times: number[];
}

describe('two instances over one Redis and one host', () => {
  let lab: TestLab;
  let host: TestHost;
  let redis: RedisServer;
  let one: TestServer;
  let two: TestServer;
  let token: string;
  /** Of a production that a test began. */
  let production: Production | undefined;
  /** Keeps what other tests printed out of the truth. */
  let since: string;
  const env = () => ({
    REDIS_URL: redis.url,
    SSH_ALLOWED_HOSTS: lab.subnet,
    SESSION_SECRET: 'the same secret on all instances',
  });

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    lab = await useLab();
    [host] = lab.hosts;
  });
  beforeEach(async () => {
    production = undefined;
    since = `--since=@${Date.now() / 1000}`;
    redis = await startRedis();
    [one, two] = await Promise.all([startServer(env()), startServer(env())]);
    ({ token } = await one.loginTo(host));
  });
  afterEach(async () => {
    await production?.stop();
    await Promise.all([one.stop(), two.stop()]);
    await redis.stop();
  });
  after(() => lab?.release());

  async function watch(
    server: TestServer,
    options: { after?: string; tail?: number; token?: string; recovered?: boolean } = {},
  ): Promise<Watcher> {
    const { token: own = token, recovered = true, ...request } = options;
    const socket = server.client({ auth: { token: own } });
    const watcher: Watcher = { socket, lines: [], ids: [], gaps: [], times: [] };
    socket.on('log_batch', ({ entries }) => {
      for (const { line, id } of entries) {
        if (!line.startsWith('seq=')) continue;
        watcher.lines.push(line);
        watcher.ids.push(id);
        watcher.times.push(performance.now());
      }
    });
    socket.on('log_gap', (gap) => watcher.gaps.push(gap));
    socket.connect();
    const answer = await socket.emitWithAck('subscribe_logs', {
      service: 'execution',
      batch: true,
      tail: 0,
      ...request,
    });
    assert.deepEqual(answer, { ok: true, recovered });
    return watcher;
  }

  /** Lines that go on until they are stopped, and the first ones of which all have seen. */
  async function flow(watchers: readonly Watcher[]): Promise<Production> {
    production = await createProduction({ host, unit: 'execution', rate: 500, prefix: '' });
    production.start();
    await sawMore(watchers);
    return production;
  }

  /** Waits for a second's lines more. */
  async function sawMore(watchers: readonly Watcher[]): Promise<void> {
    const before = watchers.map(({ lines }) => lines.length);
    await until(() => watchers.every(({ lines }, n) => lines.length > (before[n] ?? 0) + 500), 20_000);
  }

  /** The unit's lines of this test, as the journal has them. */
  async function truth(): Promise<string[]> {
    return (await host.printed('execution', [since])).filter((line) => line.startsWith('seq='));
  }

  /** All that the journal has now, from the line behind the first `from` ones on. */
  async function sawAll(watchers: readonly Watcher[], from = 0): Promise<void> {
    const expected = (await truth()).slice(from);
    assert.ok(expected.length > 0);
    await until(() => watchers.every(({ lines }) => lines.length >= expected.length), 20_000).catch(() => {});
    for (const { lines, gaps } of watchers) {
      assert.deepEqual(lines, expected);
      assert.deepEqual(gaps, []);
    }
  }

  it('[LOG-1] [LOG-5] 150 viewers on each cost one journalctl on the host, and none 30 s after they left', async function () {
    this.timeout(60_000);
    const watchers = await Promise.all(Array.from({ length: 300 }, (_, n) => watch(n % 2 === 0 ? one : two)));
    await host.produce('execution', { rate: 1000, count: 200 });
    await sawAll(watchers);
    assert.equal(host.countProcesses(/journalctl.*--follow/), 1);
    for (const { socket } of watchers) socket.disconnect();
    await until(() => host.countProcesses(/journalctl/) === 0, 30_000);
  });

  it('[LOG-2] [LOG-3] a clean stop of the owner: nothing lost, the other goes on within a second', async function () {
    this.timeout(40_000);
    const watchers = [await watch(one), await watch(two)];
    const [, survivor] = watchers;
    assert.ok(survivor);
    const lines = await flow(watchers);
    const processor = watchProcessor(() => []);
    await one.stop();
    await sawMore([survivor]);
    await lines.stop();
    await sawAll([survivor]);
    processor.stop();
    const pauses: Span[] = survivor.times.slice(1).map((to, n) => ({ from: survivor.times[n] ?? to, to }));
    const longest = Math.max(...pauses.map((span) => lengthOf(span) - processor.within(span)));
    assert.ok(longest < 1000, `${longest} ms`);
  });

  it('[SIO-4] [LOG-2] a resume on another instance after 60 000 lines, each once and in order', async function () {
    this.timeout(90_000);
    const first = await watch(one);
    await host.produce('execution', { rate: 1000, count: 10 });
    await sawAll([first]);
    first.socket.disconnect();
    await host.produce('execution', { rate: 50_000, count: 60_000, start: 11 });
    const [after = ''] = first.ids.slice(-1);
    const second = await watch(two, { after });
    await sawAll([second], 10);
  });

  it('[LOG-2] [SES-7] a Redis that comes back empty: nothing lost, nobody logged out', async function () {
    this.timeout(60_000);
    const watchers = [await watch(one), await watch(two)];
    const lines = await flow(watchers);
    await redis.kill();
    await until(async () => (await fetch(`${one.url}/readyz`)).status === 503, 15_000);
    await redis.restart();
    await sawMore(watchers);
    await lines.stop();
    await sawAll(watchers);
    const again = await watch(two);
    again.socket.disconnect();
  });

  it('[LOG-6] [SIO-8] the end of the session that feeds a stream does not interrupt another one', async function () {
    this.timeout(40_000);
    const other = await two.loginTo(host);
    const feeding = await watch(one);
    const watcher = await watch(two, { token: other.token });
    let reason = '';
    feeding.socket.on('session_ended', (end) => {
      reason = end.reason;
    });
    const lines = await flow([watcher]);
    // Said to the other instance than the one it is connected to.
    const bearer = { authorization: `Bearer ${token}` };
    await Promise.all([
      fetch(`${two.url}/api/session`, { method: 'DELETE', headers: bearer }),
      until(() => reason === 'logout' && !feeding.socket.connected, 1000),
    ]);
    const seen = feeding.lines.length;
    await sawMore([watcher]);
    await lines.stop();
    await sawAll([watcher]);
    assert.equal(feeding.lines.length, seen);
  });

  it('[SIO-4] a vacuumed journal is a gap that is told before the first line, never a silent one', async function () {
    this.timeout(60_000);
    const first = await watch(one);
    await host.produce('execution', { rate: 1000, count: 50 });
    await until(() => first.lines.length === 50);
    // A stream lives on in its owner for a while and in Redis for a minute; without them only the journal is left.
    await Promise.all([one.stop(), two.stop()]);
    await redis.cli('FLUSHALL');
    await host.produce('execution', { rate: 1000, count: 50, start: 51 });
    await host.vacuum();
    await host.produce('execution', { rate: 1000, count: 10, start: 101 });
    [one, two] = await Promise.all([startServer(env()), startServer(env())]);
    ({ token } = await one.loginTo(host));

    const [after = ''] = first.ids.slice(19);
    const second = await watch(two, { after, recovered: false });
    await until(() => second.lines.length >= 10);
    assert.deepEqual(second.lines, await truth());
    assert.equal(second.gaps.length, 1);
    assert.equal(second.gaps[0]?.reason, 'journal_vacuumed');
    assert.equal(second.gaps[0]?.from, after);
    assert.equal(second.gaps[0]?.to, second.ids[0]);
  });

  it('[SIO-6] both instances show a change at once, and the host is followed once', async function () {
    this.timeout(30_000);
    const words: Record<string, string>[] = [{}, {}];
    for (const [n, server] of [one, two].entries()) {
      const socket = server.client({ auth: { token } });
      socket.on('status_update', (list) => {
        words[n] = Object.fromEntries(list.map(({ service, status }) => [service, status]));
      });
      socket.connect();
      await socket.emitWithAck('subscribe_status', { interval: 30_000 });
    }
    await until(() => words.every(({ consensus }) => consensus === 'active'));
    await until(() => host.countProcesses(/journalctl.*--follow/) === 1);
    // What falls into the follow's own beginning is seen a second later. Once a change has been seen, it has begun.
    await host.stop('validator');
    await until(() => words.every(({ validator }) => validator === 'inactive'));
    await host.stop('consensus');
    await until(() => words.every(({ consensus }) => consensus === 'inactive'), 1000);
    await Promise.all(['consensus', 'validator'].map((unit) => host.start(unit)));
  });
});
