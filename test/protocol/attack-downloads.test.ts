import assert from 'node:assert/strict';
import type { CompleteLogEntry } from '../../shared/log-entry.ts';
import { type FakeHttp, startFakeHttp } from '../support/fake-http.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const TARGET = {
  host: 'h',
  port: 22,
  username: 'u',
  credential: { method: 'password' as const, password: 'p' },
};

const entry: CompleteLogEntry = {
  id: 'id',
  line: 'x'.repeat(1000),
  time: '2026-01-02T03:04:05.000006Z',
  level: 'info',
  target: null,
  message: 'x'.repeat(1000),
  fields: {},
  pid: 1,
  identifier: 'geth',
  continuation: false,
};

describe('downloads in hostile hands', () => {
  let http: FakeHttp;
  let reading = 0;
  beforeEach(async () => {
    reading = 0;
    http = await startFakeHttp({
      downloads: {
        async *download({ signal }) {
          reading += 1;
          try {
            while (!signal.aborted) {
              yield entry;
              await new Promise((resolve) => setImmediate(resolve));
            }
          } finally {
            reading -= 1;
          }
        },
      },
    });
  });
  afterEach(() => http.stop());

  async function login() {
    const { token } = await http.sessions.create(TARGET);
    return { token, headers: { Authorization: `Bearer ${token}` } };
  }

  it('[SIO-8] [S11] a logout ends a download within 1 s, visibly incomplete', async () => {
    const { token, headers } = await login();
    const response = await fetch(`${http.url}/api/logs/execution`, { headers });
    const body = response.text();
    await http.sessions.revoke(token);
    const sinceRevoked = startStopwatch();
    await assert.rejects(body);
    assert.ok(sinceRevoked() < 1000);
    await until(() => reading === 0);
  });

  it('[LOG-8] one session reads three downloads at a time, another is not touched by that', async () => {
    const [greedy, other] = [await login(), await login()];
    const leaving = new AbortController();
    const open = (headers: Record<string, string>) =>
      fetch(`${http.url}/api/logs/execution`, { headers, signal: leaving.signal });
    // Nobody reads their bodies.
    const answers = await Promise.all(Array.from({ length: 20 }, () => open(greedy.headers)));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [...Array(3).fill(200), ...Array(17).fill(429)]);
    assert.equal((await open(other.headers)).status, 200);
    leaving.abort();
    await until(() => reading === 0);
    const again = await fetch(`${http.url}/api/logs/execution`, { headers: greedy.headers });
    assert.equal(again.status, 200);
    await again.body?.cancel();
  });
});
