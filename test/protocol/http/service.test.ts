import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HttpDeps } from '../../../server/http/types.ts';
import { type FakeHttp, startFakeHttp } from '../../support/fake-http.ts';

const PRODUCTION: HttpDeps['config'] = {
  production: true,
  frontendUrls: [],
  allowedUnits: ['execution'],
  metricsToken: undefined,
  sessionMaxAgeMs: 1000,
  docsUsername: undefined,
  docsPassword: undefined,
};

describe('HTTP service routes', () => {
  let http: FakeHttp | undefined;
  const start = async (overrides: Partial<HttpDeps> = {}) => {
    http = await startFakeHttp(overrides);
    return http.url;
  };
  afterEach(async () => {
    await http?.stop();
    http = undefined;
  });

  it('[HTTP-1] shows a public summary at /health and life at /healthz', async () => {
    const url = await start({ counts: () => ({ rooms: 2, clients: 5 }) });
    const health = await (await fetch(`${url}/health`)).json();
    assert.equal(health.status, 'ok');
    assert.equal(health.rooms, 2);
    assert.equal(health.clients, 5);
    assert.equal(typeof health.uptime, 'number');
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  it('[HTTP-1] [RUN-5] answers 503 at /readyz while a check fails, and stays alive', async () => {
    const url = await start({
      readiness: () => ({ ready: false, checks: { redis: false, draining: true } }),
    });
    const ready = await fetch(`${url}/readyz`);
    assert.equal(ready.status, 503);
    assert.deepEqual((await ready.json()).checks, { redis: false, draining: true });
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await (await fetch(`${url}/health`)).json()).status, 'degraded');
  });

  it('[HTTP-1] serves metrics to the bearer of METRICS_TOKEN', async () => {
    const url = await start({ config: { ...PRODUCTION, metricsToken: 'm3trics-t0ken' } });
    assert.equal((await fetch(`${url}/metrics`)).status, 401);
    assert.equal((await fetch(`${url}/metrics`, { headers: { Authorization: 'Bearer wrong' } })).status, 401);
    const response = await fetch(`${url}/metrics`, { headers: { Authorization: 'Bearer m3trics-t0ken' } });
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.match(text, /^tailwire_ready 1$/m);
    assert.match(text, /^tailwire_http_requests_total\{method="GET",route="\/metrics",status="4xx"\} 2$/m);
    assert.match(text, /^nodejs_eventloop_lag_seconds/m);
    assert.doesNotMatch(text, /m3trics/);
  });

  it('[HTTP-1] has no open /metrics in production', async () => {
    assert.equal((await fetch(`${await start({ config: PRODUCTION })}/metrics`)).status, 404);
  });

  it('[HTTP-3] puts no path, and so no token, into a metric', async () => {
    const url = await start();
    await fetch(`${url}/canary-path?token=canary-token`);
    assert.doesNotMatch(await (await fetch(`${url}/metrics`)).text(), /canary/);
  });

  it('[HTTP-1] tells a dashboard what it needs at run time', async () => {
    const url = await start();
    assert.deepEqual(await (await fetch(`${url}/config.json`)).json(), {
      version: '0.0.0-test',
      demo: false,
      units: ['execution', 'consensus'],
      socketPath: '/socket.io/',
    });
  });

  it('[HTTP-2] answers unknown addresses in the form of every error, with the headers of helmet', async () => {
    const url = await start();
    for (const [method, address] of [
      ['GET', '/nothing'],
      ['POST', '/api/nothing'],
      ['GET', '/%E0%A4%A'],
      ['GET', '/..%2f..%2fetc/passwd'],
    ]) {
      const response = await fetch(`${url}${address}`, { method: method ?? 'GET' });
      assert.ok([400, 404].includes(response.status), `${address} ${response.status}`);
      const { error } = await response.json();
      assert.ok(['not_found', 'invalid_request'].includes(error.code));
      assert.match(error.requestId, /^[0-9a-f-]{36}$/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
      assert.equal(response.headers.get('x-powered-by'), null);
    }
  });

  it('[HTTP-2] answers wrong methods of known addresses with 405 and the right ones', async () => {
    const url = await start();
    for (const [method, address, allow] of [
      ['POST', '/api/session', 'DELETE, GET, HEAD'],
      ['PUT', '/api/session/', 'DELETE, GET, HEAD'],
      ['GET', '/api/sessions', 'POST'],
      ['PATCH', '/api/logs/execution.service', 'GET, HEAD'],
      ['DELETE', '/healthz', 'GET, HEAD'],
      ['POST', '/docs/openapi.json', 'GET, HEAD'],
      ['POST', '/', 'GET, HEAD'],
    ] as const) {
      const response = await fetch(`${url}${address}`, { method });
      assert.equal(response.status, 405, `${method} ${address}`);
      assert.equal(response.headers.get('allow'), allow);
      assert.equal((await response.json()).error.code, 'method_not_allowed');
    }
    // Rooms are off here, and what hides itself has no methods either.
    for (const address of ['/rooms/lobby/post', '/lobby/postcontent', '/auth/token']) {
      assert.equal((await fetch(`${url}${address}`)).status, 404, address);
    }
  });

  describe('dashboard', () => {
    const inline = 'self.__next_f=[1]';
    let dir: string;
    before(async () => {
      dir = await mkdtemp(path.join(tmpdir(), 'tailwire-export-'));
      await mkdir(path.join(dir, '_next/static'), { recursive: true });
      const page = (text: string) =>
        `<html><script src="/_next/static/app.js"></script><script>${inline}</script><script id="x">${text}</script></html>`;
      await writeFile(path.join(dir, 'index.html'), page('one'));
      await writeFile(path.join(dir, 'watch.html'), page('two'));
      await mkdir(path.join(dir, 'node'));
      await writeFile(path.join(dir, 'node/index.html'), page('two'));
      await writeFile(path.join(dir, '404.html'), page('three'));
      await writeFile(path.join(dir, '_next/static/app.js'), 'run()');
    });
    after(() => rm(dir, { recursive: true, force: true }));

    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

    it('[HTTP-1] serves the export with the hashes of each page in its policy', async () => {
      const url = await start({ dashboardDir: dir });
      for (const [address, own, other] of [
        ['/', 'one', 'two'],
        ['/watch', 'two', 'one'],
        ['/watch?id=7', 'two', 'one'],
        ['/node', 'two', 'one'],
        ['/node/?id=7', 'two', 'one'],
      ]) {
        const response = await fetch(`${url}${address}`, { headers: { Accept: 'text/html' } });
        assert.equal(response.status, 200, address);
        const policy = response.headers.get('content-security-policy') ?? '';
        assert.ok(policy.includes(hash(inline)) && policy.includes(hash(own ?? '')), policy);
        assert.ok(!policy.includes(hash(other ?? '')));
        assert.doesNotMatch(policy, /script-src[^;]*unsafe/);
        assert.equal(response.headers.get('cache-control'), 'no-cache');
      }
      const script = await fetch(`${url}/_next/static/app.js`);
      assert.match(script.headers.get('cache-control') ?? '', /immutable/);
    });

    it('shows its own page for a dead link to people, an error to programs', async () => {
      const url = await start({ dashboardDir: dir });
      const page = await fetch(`${url}/gone`, { headers: { Accept: 'text/html,*/*' } });
      assert.equal(page.status, 404);
      assert.match(await page.text(), /three/);
      assert.equal((await (await fetch(`${url}/gone`)).json()).error.code, 'not_found');
      assert.equal(
        (await fetch(`${url}/api/gone`, { headers: { Accept: 'text/html' } })).headers
          .get('content-type')
          ?.split(';')[0],
        'application/json',
      );
    });

    it('says how to build it where it is missing', async () => {
      const url = await start({ dashboardDir: path.join(dir, 'missing') });
      const response = await fetch(url);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /npm run build/);
    });
  });
});
