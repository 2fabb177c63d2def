import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { AppError } from '../../../server/core/errors.ts';
import type { HttpDeps, LogDownloadRequest } from '../../../server/http/types.ts';
import type { CompleteLogEntry } from '../../../shared/log-entry.ts';
import { type FakeHttp, startFakeHttp } from '../../support/fake-http.ts';

const TARGET = {
  host: 'h',
  port: 22,
  username: 'u',
  credential: { method: 'password' as const, password: 'p' },
};

function entry(n: number, line = `line ${n}`): CompleteLogEntry {
  return {
    id: `id-${n}`,
    line,
    time: '2026-01-02T03:04:05.000006Z',
    level: 'info',
    target: null,
    message: line,
    fields: {},
    pid: 1,
    identifier: 'geth',
    continuation: false,
  };
}

describe('HTTP log download', () => {
  let http: FakeHttp;
  let auth: { Authorization: string };
  const start = async (download: HttpDeps['downloads']['download']) => {
    http = await startFakeHttp({ downloads: { download } });
    const { token } = await http.sessions.create(TARGET);
    auth = { Authorization: `Bearer ${token}` };
  };
  afterEach(() => http.stop());

  it('[LOG-8] streams ndjson and txt with the asked filters', async () => {
    const requests: LogDownloadRequest[] = [];
    await start(async function* (request) {
      requests.push(request);
      for (let n = 0; n < 3; n += 1) yield entry(n);
    });
    const query = 'since=2026-01-01T00:00:00Z&until=1767225600000&level=warn&grep=x';
    const ndjson = await fetch(`${http.url}/api/logs/execution.service?${query}`, { headers: auth });
    assert.equal(ndjson.status, 200);
    assert.match(ndjson.headers.get('content-type') ?? '', /application\/x-ndjson/);
    assert.equal(ndjson.headers.get('content-disposition'), 'attachment; filename="execution.ndjson"');
    const lines = (await ndjson.text()).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [entry(0), entry(1), entry(2)],
    );
    const { session, signal, clientAddress, ...asked } = requests[0] ?? assert.fail('no request');
    assert.equal(session.target.host, 'h');
    assert.ok(signal instanceof AbortSignal);
    assert.equal(clientAddress, '127.0.0.1');
    assert.deepEqual(asked, {
      service: 'execution',
      since: Date.UTC(2026, 0, 1),
      until: 1767225600000,
      level: 'warn',
      grep: 'x',
    });
    const txt = await fetch(`${http.url}/api/logs/execution?format=txt`, { headers: auth });
    assert.match(txt.headers.get('content-type') ?? '', /text\/plain/);
    assert.equal((await txt.text()).split('\n')[0], '2026-01-02T03:04:05.000006Z geth line 0');
  });

  it('[LOG-8] hands out nothing that acts on a terminal, and loses nothing of the line', async () => {
    const hostile =
      '\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u009b2J \u202egnp.exe\u202c \u2028 nul \u0000 bell \u0007 del \u007f';
    const forged = 'first\n2026-01-02T03:04:05.000007Z sshd Accepted password';
    await start(async function* () {
      yield entry(1, hostile);
      yield entry(2, forged);
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    const acting = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
    const read = async (format: string) =>
      (await fetch(`${http.url}/api/logs/execution?format=${format}`, { headers: auth })).text();
    const ndjson = await read('ndjson');
    assert.doesNotMatch(ndjson, acting);
    const lines = ndjson.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as CompleteLogEntry).line),
      [hostile, forged],
    );
    const txt = await read('txt');
    assert.doesNotMatch(txt, acting);
    const stamp = '2026-01-02T03:04:05.000006Z geth';
    assert.equal(
      txt,
      `${stamp} red   <U+202E>gnp.exe<U+202C> <U+2028> nul \u2400 bell \u2407 del \u2421\n` +
        `${stamp} first\n    2026-01-02T03:04:05.000007Z sshd Accepted password\n`,
    );
  });

  it('[LOG-8] answers an empty journal with an empty file', async () => {
    await start(async function* () {});
    const response = await fetch(`${http.url}/api/logs/execution`, { headers: auth });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '');
  });

  it('[LOG-8] [SIO-9] refuses strangers, other units and malformed queries before anything is read', async () => {
    let started = 0;
    await start(async function* () {
      started += 1;
      yield entry(0);
    });
    const status = async (address: string, headers: Record<string, string> = auth) => {
      const response = await fetch(`${http.url}${address}`, { headers });
      return `${response.status} ${(await response.json()).error.code}`;
    };
    assert.equal(await status('/api/logs/execution', {}), '401 not_authenticated');
    assert.equal(
      await status('/api/logs/execution', { Authorization: 'Bearer wrong' }),
      '401 invalid_session',
    );
    for (const unit of ['sshd', '-f', 'exec*', 'a%3Bid', 'execution%0A', '%00']) {
      assert.equal(await status(`/api/logs/${unit}`), '400 invalid_service', unit);
    }
    for (const query of [
      'since=yesterday',
      'since=',
      'since=0x10',
      'since=1900-01-01T00:00:00Z',
      'until=8640000000000000',
      'level=loud',
      'format=pdf',
      `grep=${'x'.repeat(1001)}`,
      'level=info&level=warn',
    ]) {
      assert.equal(await status(`/api/logs/execution?${query}`), '400 invalid_request', query);
    }
    assert.equal(started, 0);
  });

  it('[LOG-8] answers a failure before the first line as an error, and cuts the connection after it', async () => {
    let before = 0;
    await start(async function* () {
      for (let n = 0; n < before; n += 1) yield entry(n, 'x'.repeat(1000));
      throw new AppError('host_unreachable');
    });
    const early = await fetch(`${http.url}/api/logs/execution`, { headers: auth });
    assert.equal(early.status, 502);
    assert.equal((await early.json()).error.code, 'host_unreachable');
    before = 200;
    const late = await fetch(`${http.url}/api/logs/execution`, { headers: auth });
    assert.equal(late.status, 200);
    await assert.rejects(late.text());
  });

  it('[LOG-8] reads no faster than the client, and ends when it leaves', async () => {
    let produced = 0;
    let ended: () => void = () => undefined;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await start(async function* (request) {
      try {
        while (!request.signal.aborted) {
          produced += 1;
          yield entry(produced, 'x'.repeat(10_000));
        }
      } finally {
        ended();
      }
    });
    const response = await new Promise<IncomingMessage>((resolve) => {
      get(`${http.url}/api/logs/execution`, { headers: auth }, resolve);
    });
    response.pause();
    let last = -1;
    while (produced !== last) {
      last = produced;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(produced < 2000, `${produced} entries of 10 kB were read for a client that reads nothing`);
    response.destroy();
    await end;
  });
});
