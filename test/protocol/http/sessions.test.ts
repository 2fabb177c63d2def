import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { createProxyTrust } from '../../../server/core/client-address.ts';
import { AppError } from '../../../server/core/errors.ts';
import { createLogger } from '../../../server/core/logger.ts';
import { createRateLimit } from '../../../server/http/rate-limit.ts';
import type { HttpDeps } from '../../../server/http/types.ts';
import type { SshTarget } from '../../../server/ssh/types.ts';
import { type FakeHttp, startFakeHttp } from '../../support/fake-http.ts';

const LOGIN = { host: 'node1', username: 'eve', authMethod: 'password', password: 'correct horse' };
const DEMO_TARGET: SshTarget = {
  host: '127.0.0.1',
  port: 2222,
  username: 'demo',
  credential: { method: 'password', password: 'demo' },
};

describe('HTTP sessions', () => {
  let http: FakeHttp | undefined;
  const start = async (overrides: Partial<HttpDeps> = {}) => {
    http = await startFakeHttp(overrides);
    return http;
  };
  afterEach(async () => {
    await http?.stop();
    http = undefined;
  });

  const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}/api/sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const codeOf = async (response: Response) => (await response.json()).error?.code;

  it('[SES-2] logs in, looks at the session and logs out, by cookie and by token', async () => {
    const { url, sessions } = await start();
    const created = await post(url, LOGIN);
    assert.equal(created.status, 201);
    const answer = await created.json();
    assert.equal(answer.host, 'node1');
    assert.equal(answer.username, 'eve');
    assert.equal(answer.hostKey.algorithm, 'ssh-ed25519');
    assert.ok(Date.parse(answer.expiresAt) > Date.now());
    assert.deepEqual((await sessions.get(answer.token))?.target, {
      host: 'node1',
      port: 22,
      username: 'eve',
      credential: { method: 'password', password: 'correct horse' },
    });
    const cookie = created.headers.get('set-cookie') ?? '';
    assert.match(cookie, new RegExp(`^ssh_session=${answer.token};`));
    assert.match(cookie, /HttpOnly/);
    assert.match(cookie, /SameSite=Lax/);
    assert.doesNotMatch(cookie, /Secure/);
    assert.equal(created.headers.get('cache-control'), 'no-store');

    for (const headers of [
      { Cookie: `ssh_session=${answer.token}` },
      { Authorization: `Bearer ${answer.token}` },
    ]) {
      const shown = await fetch(`${url}/api/session`, { headers });
      assert.equal(shown.status, 200);
      assert.deepEqual(await shown.json(), {
        host: 'node1',
        username: 'eve',
        expiresAt: answer.expiresAt,
        demo: false,
      });
    }
    const out = await fetch(`${url}/api/session`, {
      method: 'DELETE',
      headers: { Cookie: `ssh_session=${answer.token}` },
    });
    assert.equal(out.status, 204);
    assert.match(out.headers.get('set-cookie') ?? '', /^ssh_session=;.*Expires=Thu, 01 Jan 1970/);
    const after = await fetch(`${url}/api/session`, {
      headers: { Authorization: `Bearer ${answer.token}` },
    });
    assert.equal(after.status, 401);
    assert.equal(await codeOf(after), 'invalid_session');
  });

  it('[SES-2] sends the cookie only over TLS in production', async () => {
    const { url } = await start({
      config: {
        production: true,
        frontendUrls: [],
        allowedUnits: [],
        metricsToken: undefined,
        sessionMaxAgeMs: 1000,
        docsUsername: undefined,
        docsPassword: undefined,
      },
    });
    assert.match((await post(url, LOGIN)).headers.get('set-cookie') ?? '', /; Secure/);
  });

  it('[SES-2] takes the first valid of several tokens', async () => {
    const { url, sessions } = await start();
    const { token } = await sessions.create(DEMO_TARGET);
    const headers = { Cookie: 'ssh_session=stale', Authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${url}/api/session`, { headers })).status, 200);
    assert.equal(await codeOf(await fetch(`${url}/api/session`)), 'not_authenticated');
  });

  it('[RUN-1] opens the demo node where it runs, and says so where it does not', async () => {
    const { url } = await start({ demoTarget: () => DEMO_TARGET });
    const answer = await (await post(url, { demo: true })).json();
    assert.equal(answer.demo, true);
    await http?.stop();
    const without = await start();
    const refused = await post(without.url, { demo: true });
    assert.equal(refused.status, 404);
    assert.equal(await codeOf(refused), 'demo_off');
  });

  it('[HTTP-2] answers malformed requests with what is wrong, in one form, and repeats nothing that was sent', async () => {
    const { url } = await start();
    const bad: [unknown, RegExp][] = [
      ['{"host": "canary-secret', /not valid JSON/],
      ['[]', /JSON object/],
      ['"text"', /invalid_request/],
      [{}, /authMethod/],
      [{ ...LOGIN, host: 7 }, /host/],
      [{ ...LOGIN, port: 70_000 }, /port/],
      [{ ...LOGIN, password: { canary: 'canary-secret' } }, /password/],
      [{ ...LOGIN, authMethod: 'agent' }, /authMethod/],
      [{ ...LOGIN, authMethod: 'privateKey' }, /privateKey/],
      [{ ...LOGIN, hostKey: 'canary-secret' }, /hostKey/],
      [{ demo: 'yes' }, /demo/],
    ];
    for (const [body, expected] of bad) {
      const response = await post(url, body);
      const text = await response.text();
      assert.equal(response.status, 400, text);
      const { error } = JSON.parse(text);
      assert.equal(error.code, 'invalid_request');
      assert.match(text, expected);
      assert.equal(error.requestId, response.headers.get('x-request-id'));
      assert.ok(error.hint.length > 0);
      assert.doesNotMatch(text, /canary-secret/);
    }
    const form = await fetch(`${url}/api/sessions`, {
      method: 'POST',
      body: new URLSearchParams({ host: 'x' }),
    });
    assert.equal(form.status, 400);
  });

  it('[HTTP-2] limits the size of a body', async () => {
    const { url } = await start();
    const response = await post(url, { ...LOGIN, password: 'x'.repeat(70_000) });
    assert.equal(response.status, 413);
    assert.equal(await codeOf(response), 'payload_too_large');
  });

  it('[SES-4] passes the codes of a failed login on, and nothing from inside', async () => {
    for (const code of ['auth_failed', 'host_unreachable', 'host_not_allowed', 'host_key_changed'] as const) {
      const { url } = await start({
        login: async () => {
          throw new AppError(code, { cause: new Error('internal-detail') });
        },
      });
      const response = await post(url, LOGIN);
      const text = await response.text();
      assert.equal(JSON.parse(text).error.code, code);
      assert.equal(response.status, new AppError(code).status);
      assert.doesNotMatch(text, /internal-detail/);
      await http?.stop();
    }
  });

  it('[SES-5] says in Retry-After when the next login may be tried', async () => {
    const { url } = await start({
      login: async () => {
        throw new AppError('too_many_logins', { retryAfterMs: 4200 });
      },
    });
    const response = await post(url, LOGIN);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('retry-after'), '5');
  });

  it('[HTTP-2] hides an unexpected failure from the client, and logs it with the request id but without the password', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const { url } = await start({
      logger: createLogger({ level: 'debug', format: 'json', stream }),
      login: async ({ target }) => {
        throw Object.assign(new Error('socket hang up at /srv/app'), { target });
      },
    });
    const response = await post(url, LOGIN);
    assert.equal(response.status, 500);
    const { error } = await response.json();
    assert.equal(error.code, 'internal');
    assert.doesNotMatch(JSON.stringify(error), /hang up/);
    const log = lines.join('');
    assert.ok(log.includes(error.requestId) && log.includes('socket hang up'));
    assert.ok(!log.includes(LOGIN.password));
  });

  it('[HTTP-2] limits logins for one client, which a forged X-Forwarded-For does not get around', async () => {
    const { url } = await start({ loginLimit: createRateLimit({ name: 'login', perMinute: 3 }) });
    const statuses = [];
    for (let i = 0; i < 5; i += 1)
      statuses.push((await post(url, LOGIN, { 'X-Forwarded-For': `203.0.113.${i}` })).status);
    assert.deepEqual(statuses, [201, 201, 201, 429, 429]);
    const refused = await post(url, LOGIN);
    assert.equal(await codeOf(refused), 'rate_limited');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
  });

  it('[HTTP-2] tells clients behind a trusted proxy apart', async () => {
    const { url } = await start({
      trust: createProxyTrust({ kind: 'hops', hops: 1 }),
      loginLimit: createRateLimit({ name: 'login', perMinute: 1 }),
    });
    assert.equal((await post(url, LOGIN, { 'X-Forwarded-For': '203.0.113.1' })).status, 201);
    assert.equal((await post(url, LOGIN, { 'X-Forwarded-For': '203.0.113.2' })).status, 201);
    assert.equal((await post(url, LOGIN, { 'X-Forwarded-For': '9.9.9.9, 203.0.113.1' })).status, 429);
  });

  it('[WS-5] [HTTP-2] refuses a foreign Origin on the routes that change something', async () => {
    const { url, sessions } = await start();
    const { token } = await sessions.create(DEMO_TARGET);
    for (const Origin of ['https://evil.example', 'null', 'http://localhost:3000.evil.example']) {
      const login = await post(url, LOGIN, { Origin });
      assert.equal(login.status, 403, Origin);
      assert.equal(await codeOf(login), 'origin_not_allowed');
      const headers = { Origin, Cookie: `ssh_session=${token}` };
      assert.equal((await fetch(`${url}/api/session`, { method: 'DELETE', headers })).status, 403);
    }
    assert.ok(await sessions.get(token));
    assert.equal((await post(url, LOGIN, { Origin: 'http://localhost:3000' })).status, 201);
    assert.equal((await post(url, LOGIN, { Origin: url })).status, 201);
  });

  it('[HTTP-2] gives CORS with credentials to FRONTEND_URL alone', async () => {
    const { url } = await start();
    const preflight = (origin: string) =>
      fetch(`${url}/api/sessions`, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type',
        },
      });
    const good = await preflight('http://localhost:3000');
    assert.equal(good.status, 204);
    assert.equal(good.headers.get('access-control-allow-origin'), 'http://localhost:3000');
    assert.equal(good.headers.get('access-control-allow-credentials'), 'true');
    assert.equal((await preflight('https://evil.example')).headers.get('access-control-allow-origin'), null);
  });
});
