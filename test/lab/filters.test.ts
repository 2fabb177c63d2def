import assert from 'node:assert/strict';
import type { HistoryAck, LogData } from '../../shared/events.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type ClientSocket, startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const stamp = '[05-11|10:11:12.013]';
const info = (n: number) => `INFO ${stamp} Imported block number=${n}`;
const error = (n: number) => `ERROR${stamp} Block failed number=${n}`;
const frame = (n: number) => `\tgithub.com/x/core/chain.go:${n} +0x1a5`;

describe('filters on a real host', () => {
  let lab: TestLab;
  let host: TestHost;
  let server: TestServer;
  let token: string;
  let socket: ClientSocket;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    lab = await useLab();
    [host] = lab.hosts;
    await host.vacuum();
    // 4000 lines in which every 50th is an error: 80 errors, each with a line of its trace.
    const lines = Array.from({ length: 4000 }, (_, n) => (n % 50 === 0 ? [error(n), frame(n)] : [info(n)]));
    await host.log('execution', lines.flat());
    server = await startServer({ SSH_ALLOWED_HOSTS: lab.subnet });
    ({ token } = await server.loginTo(host));
  });
  after(async () => {
    await server?.stop();
    await lab?.release();
  });
  beforeEach(async () => {
    socket = server.client({ auth: { token } });
    socket.connect();
    await until(() => socket.connected);
  });
  afterEach(() => {
    socket?.disconnect();
  });

  function collect(of: ClientSocket): { lines: string[]; entries: LogData[] } {
    const entries: LogData[] = [];
    const lines: string[] = [];
    of.on('log_data', (entry) => {
      entries.push(entry);
      lines.push(entry.line);
    });
    return { lines, entries };
  }
  const subscribe = (request: object) =>
    socket.emitWithAck('subscribe_logs', { service: 'execution', ...request });
  const history = (request: object): Promise<HistoryAck> =>
    socket.emitWithAck('log_history', { service: 'execution', ...request });
  const okPage = async (request: object) => {
    const answer = await history(request);
    assert.ok(answer.ok, JSON.stringify(answer));
    return { ...answer, lines: answer.entries.map(({ line }) => line) };
  };
  /** Errors number `from` to `to` with what belongs to them, as they stand in the journal. */
  const errors = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => [error((from + n) * 50), frame((from + n) * 50)]).flat();
  // The journal gives back a line of standard output without blanks around it.
  const trimmed = (lines: readonly string[]) => lines.map((line) => line.trim());

  it('[SIO-2] the newest 50 lines of a level are looked for as far back as they are, with their traces', async () => {
    const seen = collect(socket);
    assert.deepEqual(await subscribe({ tail: 50, level: 'error' }), { ok: true, recovered: true });
    await until(() => seen.lines.length >= 50);
    assert.deepEqual(trimmed(seen.lines), trimmed(errors(55, 80)));
    await host.log('execution', [info(9001), error(9002), frame(9002), info(9003), 'no level']);
    await until(() => seen.lines.length >= 53);
    assert.deepEqual(trimmed(seen.lines.slice(50)), trimmed([error(9002), frame(9002), 'no level']));
  });

  it('[SIO-2] a pattern passes what it finds, live too', async () => {
    const seen = collect(socket);
    await subscribe({ tail: 3, grep: 'number=3[0-9]{2}0$' });
    await until(() => seen.lines.length >= 3);
    // The last line that the pattern finds is an error, which brings its trace along.
    const found = [info(3970), info(3980), info(3990)];
    assert.deepEqual(trimmed(seen.lines), found);
    await host.log('execution', [info(3001), info(3010)]);
    await until(() => seen.lines.length >= 4);
    assert.equal(seen.lines[3], info(3010));
  });

  it('[SIO-4] a resume with a filter delivers what passed meanwhile, once', async () => {
    const first = collect(socket);
    await subscribe({ tail: 2, level: 'error' });
    await host.log('execution', [error(9100), info(9101)]);
    await until(() => first.lines.includes(error(9100)));
    const after = first.entries.at(-1)?.id;
    socket.disconnect();
    await host.log('execution', [
      ...Array.from({ length: 500 }, (_, n) => info(9200 + n)),
      error(9900),
      frame(9900),
      info(9901),
    ]);
    socket = server.client({ auth: { token } });
    const second = collect(socket);
    socket.connect();
    assert.deepEqual(await subscribe({ after, level: 'error' }), { ok: true, recovered: true });
    await host.log('execution', [error(9999)]);
    await until(() => second.lines.includes(error(9999)));
    assert.deepEqual(trimmed(second.lines), trimmed([error(9900), frame(9900), error(9999)]));
  });

  it('[SIO-5] pages of history through a filter meet every match once, and come to an end', async () => {
    const found: string[] = [];
    let before: string | undefined;
    for (let pages = 0; pages < 20; pages++) {
      const page = await okPage({
        grep: 'Block failed',
        level: 'warn',
        limit: 30,
        ...(before ? { before } : {}),
      });
      found.unshift(...page.lines);
      before = page.next ?? page.entries[0]?.id;
      if (!page.hasMore) break;
    }
    const old = found.filter((line) => /number=\d{1,4}$/.test(line) && Number(line.split('=')[1]) < 4000);
    assert.deepEqual(
      old,
      Array.from({ length: 80 }, (_, n) => error(n * 50)),
    );
    assert.equal(
      new Set(found.filter((line) => line.startsWith('ERROR'))).size,
      found.filter((line) => line.startsWith('ERROR')).length,
    );
  });

  it('[LOG-8] a download takes the same filters, and its text cannot act on a terminal', async () => {
    await host.log('execution', [`ERROR${stamp} \u001b[2J\u001b]0;x\u0007wiped \u202egnp`]);
    const download = async (query: string) => {
      const response = await fetch(`${server.url}/api/logs/execution?${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(response.status, 200);
      return (await response.text()).trimEnd().split('\n');
    };
    const wanted = () => download('format=txt&level=error&grep=wiped');
    await until(async () => (await wanted()).length === 1 && (await wanted())[0] !== '');
    const [line] = await wanted();
    assert.match(line ?? '', /ERROR\[05-11\|10:11:12\.013\] wiped <U\+202E>gnp$/);
    const all = await download('format=ndjson&level=error');
    const lines = all.map((text) => (JSON.parse(text) as LogData).line);
    assert.deepEqual(trimmed(lines.slice(0, 4)), trimmed(errors(0, 2)));
  });

  for (const grep of [
    '(',
    '(a{1000}){1000}',
    'a{1000}'.repeat(100),
    `(?:${'[a-z]'.repeat(150)}){1000}`,
    '(?=x)',
    '(a)\\1',
  ]) {
    it(`refuses the pattern ${grep.slice(0, 30)} at once, and says why`, async () => {
      const elapsed = startStopwatch();
      for (const answer of [await subscribe({ grep }), await history({ grep })]) {
        assert.equal(answer.ok, false);
        assert.equal(!answer.ok && answer.error.code, 'invalid_pattern');
        assert.ok(!answer.ok && answer.error.message.length > 'The pattern is not valid'.length);
      }
      const download = await fetch(`${server.url}/api/logs/execution?grep=${encodeURIComponent(grep)}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(download.status, 400);
      assert.ok(elapsed() < 2000);
    });
  }

  it('gives a pattern up that takes far longer than patterns do', async () => {
    const letters = Array.from({ length: 12 }, (_, n) =>
      Array.from({ length: 40_000 }, (_, at) =>
        ((at * 7919 + n * 104_729) % 13) % 2 === 0 ? 'a' : 'b',
      ).join(''),
    );
    // Without a period, or the automaton of the pattern stays small.
    let state = 1;
    const random = letters.map((line) =>
      line.replace(/[ab]/g, () => {
        state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
        return (state >> 16) & 1 ? 'a' : 'b';
      }),
    );
    await host.log('consensus', random);
    const answer = await socket.emitWithAck('log_history', {
      service: 'consensus',
      grep: '.*a.{200}$',
      limit: 5,
    });
    assert.equal(answer.ok, false);
    assert.equal(!answer.ok && answer.error.code, 'invalid_pattern');
  }).timeout(30_000);
});
