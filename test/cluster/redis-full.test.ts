import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createProduction, type Production } from '../../scripts/chaos/production.ts';
import type { LogGap } from '../../shared/events.ts';
import { atEnd } from '../support/at-end.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
/** Lines that every viewer has seen before the trouble begins, and again after its end. */
const LINES = 500;

/** A way in which a Redis that answers takes no writes, and the way out of it. */
interface Trouble {
  name: string;
  /** What Redis says to a write then. */
  says: RegExp;
  start(): Promise<RedisServer>;
  begin(redis: RedisServer): Promise<unknown>;
  end(redis: RedisServer): Promise<unknown>;
}

/** A folder on a file system of its own with 8 MB, unmounted at the end. */
async function smallDisk(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwire-full-'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  atEnd(async () => {
    await run('umount', ['-l', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

const TROUBLES: readonly Trouble[] = [
  {
    name: 'has no memory left',
    says: /^OOM /,
    start: () => startRedis({ args: ['--maxmemory-policy', 'noeviction'] }),
    begin: (redis) => redis.cli('config', 'set', 'maxmemory', '1'),
    end: (redis) => redis.cli('config', 'set', 'maxmemory', '0'),
  },
  {
    name: 'cannot save',
    says: /^MISCONF /,
    start: () => startRedis({ args: ['--save', '3600 1', '--dbfilename', 'saved.rdb'] }),
    async begin(redis) {
      await mkdir(join(redis.dir, 'saved.rdb', 'in-the-way'), { recursive: true });
      await redis.cli('bgsave');
    },
    async end(redis) {
      await rmdir(join(redis.dir, 'saved.rdb', 'in-the-way'));
      await rmdir(join(redis.dir, 'saved.rdb'));
      await redis.cli('bgsave');
    },
  },
  {
    name: 'has a full disk under its log',
    says: /^MISCONF /,
    start: async () =>
      startRedis({
        dir: await smallDisk(),
        args: ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'],
      }),
    // Whatever is free: dd ends with an error when there is nothing any more.
    begin: (redis) =>
      run('dd', ['if=/dev/zero', `of=${join(redis.dir, 'filler')}`, 'bs=64k']).catch(() => {}),
    end: (redis) => rm(join(redis.dir, 'filler')),
  },
];

describe('a Redis that answers but takes no writes', function () {
  this.timeout(90_000);
  let lab: TestLab;
  let host: TestHost;
  let production: Production | undefined;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    lab = await useLab();
    [host] = lab.hosts;
  });
  afterEach(() => production?.stop());
  after(() => lab?.release());

  async function watch(server: TestServer, token: string) {
    const socket = server.client({ auth: { token } });
    const seen = { socket, lines: [] as string[], gaps: [] as LogGap[] };
    socket.on('log_batch', ({ entries }) => {
      for (const { line } of entries) if (line.startsWith('seq=')) seen.lines.push(line);
    });
    socket.on('log_gap', (gap) => seen.gaps.push(gap));
    socket.connect();
    const answer = await socket.emitWithAck('subscribe_logs', { service: 'execution', batch: true, tail: 0 });
    assert.equal(answer.ok, true);
    return seen;
  }

  /** Status and code of a login over HTTP. */
  async function login(server: TestServer): Promise<[status: number, code: string | undefined]> {
    const { username, password } = host.users.ethnode;
    const response = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        host: host.address,
        port: host.port,
        username,
        authMethod: 'password',
        password,
      }),
    });
    const body = (await response.json()) as { error?: { code: string } };
    return [response.status, body.error?.code];
  }

  const internals = async (server: TestServer) =>
    /tailwire_errors_total\{code="internal"\} (\d+)/.exec(
      await (await fetch(`${server.url}/metrics`)).text(),
    )?.[1];

  for (const trouble of TROUBLES) {
    it(`[LOG-2] [SES-1] [SIO-7] ${trouble.name}: no line is lost, no secret is kept in the clear, and all works again afterwards`, async () => {
      const redis = await trouble.start();
      const env = {
        REDIS_URL: redis.url,
        SSH_ALLOWED_HOSTS: lab.subnet,
        SESSION_SECRET: 'the same secret on all instances',
      };
      const servers = await Promise.all([startServer(env), startServer(env)]);
      const [one, two] = servers;
      assert.ok(one && two);
      const { token } = await one.loginTo(host);
      const viewers = [await watch(one, token), await watch(two, token)];
      const [speaker, listener] = viewers;
      assert.ok(speaker && listener);
      const heard: unknown[] = [];
      listener.socket.on('room_message', ({ data }) => heard.push(data));
      for (const { socket } of viewers)
        assert.deepEqual(await socket.emitWithAck('join_room', { room: 'full' }), { ok: true });

      const since = `--since=@${Date.now() / 1000}`;
      production = await createProduction({ host, unit: 'execution', rate: 500, prefix: '' });
      production.start();
      await until(() => viewers.every(({ lines }) => lines.length > LINES), 20_000);
      await trouble.begin(redis);
      await until(async () => {
        const answer = await redis.cli('set', 'tests:write', 'x').catch((error: Error) => error.message);
        return trouble.says.test(answer.replace(/^.*?(OOM|MISCONF)/s, '$1'));
      }, 15_000);

      // The same error for everybody, wherever he comes from, and in time.
      const elapsed = startStopwatch();
      assert.deepEqual(await login(one), [503, 'store_unavailable']);
      assert.ok(elapsed() < 10_000);
      assert.equal(await redis.cli('--scan', '--pattern', '*ssh_session:*'), '');
      for (const { socket } of viewers) assert.equal(socket.connected, true);
      const answer = await speaker.socket.emitWithAck('publish_room', { room: 'full', data: 'meanwhile' });
      assert.deepEqual(answer, { ok: true });
      await until(() => heard.includes('meanwhile'));

      await trouble.end(redis);
      await until(async () => (await redis.cli('set', 'tests:write', 'x').catch(() => '')) === 'OK', 15_000);
      const before = viewers.map(({ lines }) => lines.length);
      await until(() => viewers.every(({ lines }, n) => lines.length > (before[n] ?? 0) + LINES), 30_000);
      await production.stop();
      const truth = (await host.printed('execution', [since])).filter((line) => line.startsWith('seq='));
      await until(() => viewers.every(({ lines }) => lines.length >= truth.length), 30_000).catch(() => {});
      for (const { lines, gaps } of viewers) {
        assert.deepEqual(gaps, []);
        assert.deepEqual(lines, truth);
      }
      await until(async () => (await fetch(`${one.url}/readyz`)).ok, 10_000);
      assert.deepEqual(await login(two), [201, undefined]);
      for (const server of servers) assert.equal(await internals(server), undefined);
      await Promise.all(servers.map((server) => server.stop()));
      await redis.stop();
    });
  }
});
