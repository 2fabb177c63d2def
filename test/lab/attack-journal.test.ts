import assert from 'node:assert/strict';
import type { LogData } from '../../shared/events.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { watchLoop } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const text = (message: string | Buffer): [string, string | Buffer] => ['MESSAGE', message];

/** What a process of a unit may hand to journald, and the line that has to come of it. */
const ENTRIES: [what: string, fields: [string, string | Buffer][], line: string][] = [
  ['a line of 48 KB', [text('k'.repeat(48_000))], 'k'.repeat(48_000)],
  ['a line of 150 kB', [text('m'.repeat(150_000))], 'm'.repeat(150_000)],
  ['escape sequences', [text('\u001b[2J\u001b]0;title\u0007red')], '\u001b[2J\u001b]0;title\u0007red'],
  ['invalid UTF-8', [text(Buffer.from([0x61, 0xff, 0xfe, 0x62]))], 'a\ufffd\ufffdb'],
  ['text that turns around', [text('\u202egnp.exe')], '\u202egnp.exe'],
  ['NUL', [text('a\u0000b')], 'a\u0000b'],
  ['line breaks', [text('one\ntwo\r\nthree')], 'one\ntwo\r\nthree'],
  ['a message twice', [text('first'), text('second')], 'first'],
  [
    'a forged journal record',
    [text('","__CURSOR":"s=0"}\n{"__CURSOR":"x"}')],
    '","__CURSOR":"s=0"}\n{"__CURSOR":"x"}',
  ],
  [
    'a forged entry of the export format',
    [text('one\n\n__CURSOR=s=0\n__REALTIME_TIMESTAMP=1\nMESSAGE=forged\n\n')],
    'one\n\n__CURSOR=s=0\n__REALTIME_TIMESTAMP=1\nMESSAGE=forged\n\n',
  ],
  [
    'a forged event',
    [text('"}]42["log_data",{"service":"execution"')],
    '"}]42["log_data",{"service":"execution"',
  ],
  [
    'JSON with a prototype',
    [text('{"level":"info","__proto__":{"polluted":1},"msg":"x"}')],
    '{"level":"info","__proto__":{"polluted":1},"msg":"x"}',
  ],
  [
    'pairs with a prototype',
    [text('INFO x __proto__=1 constructor=2 toString=3')],
    'INFO x __proto__=1 constructor=2 toString=3',
  ],
  [
    'markup',
    [text('<img src=x onerror=alert(1)><script>alert(1)</script>')],
    '<img src=x onerror=alert(1)><script>alert(1)</script>',
  ],
  ['another identifier', [text('who am I'), ['SYSLOG_IDENTIFIER', 'sshd\n<b>']], 'who am I'],
];

describe('a hostile journal', () => {
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

  async function watch(batch: boolean) {
    const socket = server.client({ auth: { token } });
    const entries: Omit<LogData, 'service'>[] = [];
    socket.on('log_data', (entry) => entries.push(entry));
    socket.on('log_batch', (frame) => entries.push(...frame.entries));
    socket.connect();
    await until(() => socket.connected);
    assert.ok((await socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0, batch })).ok);
    return { socket, entries };
  }

  it('[R19] [SIO-3] every line arrives as it is: live, in history, in a download', async () => {
    const viewers = [await watch(false), await watch(true)];
    const since = Date.now() - 1000;
    await host.log('execution', ['begin hostile']);
    for (const [, fields] of ENTRIES) await host.logFields('execution', fields);
    // journald keeps an entry without a message, too.
    await host.logFields('execution', [['OTHER', 'no message']]);
    await host.log('execution', ['end hostile']);
    const expected = ENTRIES.map(([, , line]) => line);
    const between = (lines: readonly string[]) =>
      lines.slice(lines.indexOf('begin hostile') + 1, lines.indexOf('end hostile'));
    for (const { entries } of viewers) {
      await until(() => entries.some(({ line }) => line === 'end hostile'), 20_000);
      assert.deepEqual(
        between(entries.map(({ line }) => line)).filter((line) => line !== ''),
        expected,
      );
      assert.ok(
        entries.every(
          ({ fields }) =>
            Object.getPrototypeOf(fields ?? {}) === Object.prototype ||
            Object.getPrototypeOf(fields ?? {}) === null,
        ),
      );
    }
    const [viewer] = viewers;
    const page = await viewer?.socket
      .timeout(20_000)
      .emitWithAck('log_history', { service: 'execution', since, limit: 1000 });
    assert.ok(page?.ok);
    assert.deepEqual(
      between(page.entries.map(({ line }: { line: string }) => line)).filter((line) => line !== ''),
      expected,
    );
    const headers = { authorization: `Bearer ${token}` };
    const ndjson = await (await fetch(`${server.url}/api/logs/execution?since=${since}`, { headers })).text();
    const lines = ndjson
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { line: string }).line);
    assert.deepEqual(
      between(lines).filter((line) => line !== ''),
      expected,
    );
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    for (const { socket } of viewers) socket.disconnect();
  }).timeout(60_000);

  it('[R19] long lines of control bytes do not hold up other users', async () => {
    const viewer = await watch(true);
    const loop = watchLoop();
    for (let n = 0; n < 10; n++) {
      await host.logFields('execution', [text(Buffer.alloc(150_000, n % 2 ? 0x1b : 0xff))]);
    }
    await host.log('execution', ['end of control bytes']);
    await until(() => viewer.entries.some(({ line }) => line === 'end of control bytes'), 30_000);
    loop.stop();
    viewer.socket.disconnect();
    assert.ok(loop.longest() < 250, `the event loop stood still for ${loop.longest()} ms`);
  }).timeout(60_000);

  it('[R19] [LOG-2] a burst of 30 000 lines arrives whole, in order and in bounded memory', async () => {
    const viewer = await watch(true);
    const before = process.memoryUsage().rss;
    await host.produce('execution', { rate: 10_000, count: 30_000, prefix: 'burst ' });
    await until(() => viewer.entries.some(({ line }) => line === 'burst seq=30000'), 60_000);
    const burst = (lines: readonly string[]) => lines.filter((line) => line.startsWith('burst '));
    const truth = burst(await host.printed('execution'));
    const seen = burst(viewer.entries.map(({ line }) => line));
    assert.equal(seen.length, truth.length);
    const wrong = seen.findIndex((line, index) => line !== truth[index]);
    assert.equal(wrong, -1, `${seen.slice(wrong - 2, wrong + 3)} for ${truth.slice(wrong - 2, wrong + 3)}`);
    assert.ok(process.memoryUsage().rss - before < 400 * 1024 * 1024);
    viewer.socket.disconnect();
  }).timeout(120_000);
});
