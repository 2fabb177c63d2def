import assert from 'node:assert/strict';
import type { LogBatch, LogData } from '../../shared/events.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type ClientSocket, startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

describe('logs of a real host', () => {
  let lab: TestLab;
  let host: TestHost;
  let server: TestServer;
  let token: string;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    lab = await useLab();
    [host] = lab.hosts;
    server = await startServer({ SSH_ALLOWED_HOSTS: lab.subnet });
    ({ token } = await server.loginTo(host));
  });
  after(async () => {
    await server?.stop();
    await lab?.release();
  });

  /** A connected client that collects the lines of one unit. */
  async function watch(options: {
    path?: string;
    transports?: ('websocket' | 'polling')[];
    batch?: boolean;
  }) {
    const { batch = false, ...form } = options;
    const socket = server.client({ auth: { token }, ...form });
    const lines: string[] = [];
    const entries: LogData[] = [];
    socket.on('log_data', (entry) => {
      entries.push(entry);
      lines.push(entry.line);
    });
    socket.on('log_batch', (frame: LogBatch) => {
      for (const entry of frame.entries) lines.push(entry.line);
    });
    socket.connect();
    await until(() => socket.connected);
    const answer = await socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 5, batch });
    assert.deepEqual(answer, { ok: true, recovered: true });
    return { socket, lines, entries };
  }

  const seqs = (lines: readonly string[], mark: string) => lines.filter((line) => line.startsWith(mark));

  for (const path of ['/socket.io/', '/']) {
    for (const transport of ['websocket', 'polling'] as const) {
      for (const batch of [false, true]) {
        it(`[SIO-1] [SIO-3] [LOG-2] lines arrive in order at path ${path} by ${transport}${batch ? ' in batches' : ''}`, async () => {
          const viewer = await watch({
            path,
            transports: [transport],
            batch,
            ...(path === '/' ? { addTrailingSlash: false } : {}),
          });
          const mark = `run-${path.length}-${transport}-${batch} `;
          const sent = Array.from({ length: 300 }, (_, n) => `${mark}${n}`);
          await host.log('execution', sent);
          await until(() => seqs(viewer.lines, mark).length >= 300, 10_000);
          assert.deepEqual(seqs(viewer.lines, mark), sent);
          viewer.socket.disconnect();
        });
      }
    }
  }

  it('[SIO-4] resumes behind an id, each line once and in order', async () => {
    const first = await watch({});
    await host.log('execution', ['resume 0', 'resume 1', 'resume 2']);
    await until(() => first.lines.at(-1) === 'resume 2');
    const after = first.entries.find((entry) => entry.line === 'resume 0')?.id ?? '';
    first.socket.disconnect();
    await host.log('execution', ['resume 3']);

    const second = server.client({ auth: { token } });
    const lines: string[] = [];
    second.on('log_data', ({ line }) => lines.push(line));
    second.connect();
    const answer = await second.emitWithAck('subscribe_logs', { service: 'execution', after });
    assert.deepEqual(answer, { ok: true, recovered: true });
    await until(() => lines.includes('resume 3'));
    assert.deepEqual(lines, ['resume 1', 'resume 2', 'resume 3']);
    second.disconnect();
  });

  it('[SIO-4] [SIO-5] resumes and pages in a unit whose lines are in the journal of its user', async () => {
    // journald keeps what a user with a number from 1000 on prints apart from what systemd says about the unit.
    const print = 'for n in $(seq 30); do echo split $n; done';
    const words = [
      '--quiet',
      '--collect',
      '--wait',
      '--unit=mevboost',
      `--uid=${host.users.ethnode.username}`,
    ];
    await host.exec(['systemd-run', ...words, '--', 'sh', '-c', print]);
    const journals = new Set(
      (await host.journal('mevboost')).map(({ __CURSOR }) => String(__CURSOR).slice(0, 34)),
    );
    assert.equal(journals.size, 2);
    const socket = server.client({ auth: { token } });
    const gaps: unknown[] = [];
    socket.on('log_gap', (gap) => gaps.push(gap));
    socket.connect();
    const page = await socket.emitWithAck('log_history', { service: 'mevboost', limit: 1000 });
    assert.ok(page.ok);
    const printed = page.entries.filter(({ line }) => line.startsWith('split '));
    assert.equal(printed.length, 30);
    for (const { id, line } of [0, 14, 29].flatMap((at) => printed[at] ?? [])) {
      const at = page.entries.findIndex((entry) => entry.id === id);
      const lines: string[] = [];
      socket.removeAllListeners('log_batch').on('log_batch', ({ entries }) => {
        for (const entry of entries) lines.push(entry.line);
      });
      const request = { service: 'mevboost', after: id, batch: true };
      assert.deepEqual(await socket.emitWithAck('subscribe_logs', request), { ok: true, recovered: true });
      const expected: string[] = page.entries.slice(at + 1).map((entry) => entry.line);
      await until(() => lines.length >= expected.length);
      assert.deepEqual(lines, expected, `behind ${line}`);
      await socket.emitWithAck('unsubscribe_logs', { service: 'mevboost' });
      const before = await socket.emitWithAck('log_history', {
        service: 'mevboost',
        before: id,
        limit: 1000,
      });
      assert.ok(before.ok);
      assert.deepEqual(
        before.entries.map((entry) => entry.id),
        page.entries.slice(0, at).map((entry) => entry.id),
      );
    }
    assert.deepEqual(gaps, []);
    socket.disconnect();
  });

  it('[LOG-1] 200 viewers of one unit cost one journalctl on the host, and all receive', async function () {
    this.timeout(60_000);
    const viewers: { socket: ClientSocket; lines: string[] }[] = await Promise.all(
      Array.from({ length: 200 }, (_, n) => watch({ batch: n % 2 === 0 })),
    );
    await host.log(
      'execution',
      Array.from({ length: 50 }, (_, n) => `many ${n}`),
    );
    await until(() => viewers.every(({ lines }) => seqs(lines, 'many ').length === 50), 15_000);
    const follows = host.processes(/journalctl.*execution.*--follow/);
    assert.equal(follows.length, 1, follows.map(({ command }) => command).join('\n'));
    for (const { socket } of viewers) socket.disconnect();
  });

  it('[LOG-5] the remote process ends when the last viewer has left', async function () {
    this.timeout(40_000);
    await until(() => host.countProcesses(/journalctl/) === 0, 30_000);
  });
});
