import assert from 'node:assert/strict';
import { createHttpApp } from '../../../server/http/app.ts';
import { createOpenApi } from '../../../server/http/docs/openapi.ts';
import { knownPaths } from '../../../server/http/methods.ts';
import { HMAC_SECRET, ISSUER_KEY, roomToken } from '../../support/echo.ts';
import { fakeHttpDeps, startFakeHttp } from '../../support/fake-http.ts';
import { createSchemaCheck, danglingRefs, resolve } from '../../support/json-schema.ts';
import { startServer, type TestServer } from '../../support/server.ts';

const METRICS_TOKEN = 'the metrics token of these tests';
const DOCS = { DOCS_USERNAME: 'reader', DOCS_PASSWORD: 'the password: of these tests' };

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
  security: Record<string, unknown>[];
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: object; securitySchemes: object };
}

const asJson = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const withBearer = (token: string, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { ...init.headers, authorization: `Bearer ${token}` },
});
const basic = (username: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
});

describe('OpenAPI document', () => {
  let server: TestServer;
  let document: OpenApi;
  let token: string;

  before(async () => {
    server = await startServer({ HMAC_SECRET, ISSUER_KEY, METRICS_TOKEN, ...DOCS });
    const { DOCS_USERNAME, DOCS_PASSWORD } = DOCS;
    const response = await fetch(`${server.url}/docs/openapi.json`, basic(DOCS_USERNAME, DOCS_PASSWORD));
    assert.equal(response.status, 200);
    document = (await response.json()) as OpenApi;
    ({ token } = await server.login({ demo: true }));
  });
  after(() => server?.stop());

  it('[HTTP-1] names every route of the application, and no other', () => {
    const app = createHttpApp(
      fakeHttpDeps({
        rooms: {
          host: { registered: [] } as never,
          tokens: {} as never,
          issuerKey: ISSUER_KEY,
          postLimit: { use: async () => undefined },
          maxPayloadBytes: 1024,
        },
      }),
    );
    const routes = knownPaths(app.router).flatMap(({ pattern, methods }) =>
      methods.map((method) => `${method} ${pattern.replace(/:(\w+)/g, '{$1}')}`),
    );
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.ok(routes.length > 10);
    assert.deepEqual(documented.sort(), routes.sort());
  });

  it('is sound: references lead somewhere, names are used once, parts of paths are described', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.deepEqual(danglingRefs(document), []);
    const operations = Object.entries(document.paths).flatMap(([path, all]) =>
      Object.values(all).map((operation) => ({ path, ...operation })),
    );
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    for (const { path, parameters = [], security } of operations) {
      const inPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
      assert.deepEqual(
        inPath,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      );
      for (const scheme of security.flatMap(Object.keys))
        assert.ok(resolve(document, `#/components/securitySchemes/${scheme}`), scheme);
    }
  });

  /** Asks the server and holds the answer against the document. */
  async function ask(
    method: 'get' | 'post' | 'delete',
    path: string,
    status: number,
    init: RequestInit = {},
    address = path,
  ): Promise<void> {
    const what = `${method} ${address} ${status}`;
    const response = await fetch(`${server.url}${address}`, { ...init, method: method.toUpperCase() });
    const text = await response.text();
    assert.equal(response.status, status, `${what}: ${text.slice(0, 300)}`);
    const described = document.paths[path]?.[method]?.responses[status];
    assert.ok(described, `${what} is not in the document`);
    if (!described.content) return assert.equal(text, '', what);
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    const { schema } = described.content[type] ?? {};
    assert.ok(schema, `${what}: ${type} is not in the document`);
    const check = createSchemaCheck(document);
    if (type === 'application/json') check(schema, JSON.parse(text), what);
    else if (type !== 'application/x-ndjson') check(schema, text, what);
    else {
      const lines = text.trimEnd().split('\n');
      for (const line of lines.slice(0, 50)) check(schema, JSON.parse(line), what);
    }
  }

  const { DOCS_USERNAME, DOCS_PASSWORD } = DOCS;
  const room = '/rooms/{room}/post';
  const mint = { clientId: 'a', room: 'lobby', expiresIn: 60 };
  const answers: [what: string, () => Promise<void>][] = [
    ['a login', () => ask('post', '/api/sessions', 201, asJson({ demo: true }))],
    ['a malformed login', () => ask('post', '/api/sessions', 400, asJson({ host: 'h' }))],
    [
      'a host that is not allowed',
      () =>
        ask(
          'post',
          '/api/sessions',
          403,
          asJson({ host: '169.254.169.254', username: 'u', authMethod: 'password', password: 'p' }),
        ),
    ],
    [
      'a body that is too large',
      () => ask('post', '/api/sessions', 413, asJson({ demo: true, x: 'y'.repeat(70_000) })),
    ],
    ['the session', () => ask('get', '/api/session', 200, withBearer(token))],
    ['no session', () => ask('get', '/api/session', 401)],
    [
      'a download',
      () => ask('get', '/api/logs/{service}', 200, withBearer(token), '/api/logs/execution?level=warn'),
    ],
    [
      'a download as text',
      () => ask('get', '/api/logs/{service}', 200, withBearer(token), '/api/logs/consensus?format=txt'),
    ],
    [
      'a download of an unknown unit',
      () => ask('get', '/api/logs/{service}', 400, withBearer(token), '/api/logs/sshd'),
    ],
    ['a download without session', () => ask('get', '/api/logs/{service}', 401, {}, '/api/logs/execution')],
    ['a room token', () => ask('post', '/auth/token', 200, withBearer(ISSUER_KEY, asJson(mint)))],
    ['a room token for nobody', () => ask('post', '/auth/token', 401, asJson(mint))],
    [
      'a malformed request for one',
      () => ask('post', '/auth/token', 400, withBearer(ISSUER_KEY, asJson({}))),
    ],
    [
      'a push',
      () => ask('post', room, 200, withBearer(roomToken('lobby'), asJson({ a: 1 })), '/rooms/lobby/post'),
    ],
    [
      'a push to the short address',
      () =>
        ask(
          'post',
          '/{room}/postcontent',
          200,
          withBearer(roomToken('radio'), asJson({ content: 'x' })),
          '/radio/postcontent',
        ),
    ],
    ['a push without token', () => ask('post', room, 401, asJson({ a: 1 }), '/rooms/lobby/post')],
    [
      'a push that is no object',
      () => ask('post', room, 400, withBearer(roomToken('lobby'), asJson([])), '/rooms/lobby/post'),
    ],
    [
      'a push with the token of another room',
      () => ask('post', room, 403, withBearer(roomToken('other'), asJson({ a: 1 })), '/rooms/lobby/post'),
    ],
    ['the summary', () => ask('get', '/health', 200)],
    ['life', () => ask('get', '/healthz', 200)],
    ['readiness', () => ask('get', '/readyz', 200)],
    ['metrics', () => ask('get', '/metrics', 200, withBearer(METRICS_TOKEN))],
    ['metrics without token', () => ask('get', '/metrics', 401)],
    ['the settings of a dashboard', () => ask('get', '/config.json', 200)],
    ['the dashboard', () => ask('get', '/', 200)],
    ['the documents', () => ask('get', '/docs', 200, basic(DOCS_USERNAME, DOCS_PASSWORD))],
    [
      'the OpenAPI document',
      () => ask('get', '/docs/openapi.json', 200, basic(DOCS_USERNAME, DOCS_PASSWORD)),
    ],
    [
      'the AsyncAPI document',
      () => ask('get', '/docs/asyncapi.json', 200, basic(DOCS_USERNAME, DOCS_PASSWORD)),
    ],
    ['documents without password', () => ask('get', '/docs/openapi.json', 401)],
    [
      'a logout',
      async () => {
        const other = await server.login({ demo: true });
        await ask('delete', '/api/session', 204, withBearer(other.token));
      },
    ],
    ['a logout of nobody', () => ask('delete', '/api/session', 401)],
    [
      'a foreign page',
      () => ask('post', '/api/sessions', 403, { headers: { origin: 'https://evil.example' } }),
    ],
  ];
  for (const [what, go] of answers) {
    it(`[HTTP-1] [HTTP-2] is true about ${what}`, go);
  }

  describe('/docs', () => {
    it('[HTTP-1] takes the user name and password of the settings, and nothing else', async () => {
      for (const path of [
        '/docs',
        '/docs/',
        '/docs/openapi.json',
        '/docs/asyncapi.json',
        '/docs/swagger-ui.css',
      ]) {
        const url = `${server.url}${path}`;
        for (const [username, password] of [
          [DOCS_USERNAME, 'wrong'],
          ['wrong', DOCS_PASSWORD],
          ['', ''],
          [DOCS_USERNAME, ''],
        ] as const) {
          const refused = await fetch(url, basic(username, password));
          assert.equal(refused.status, 401, path);
          assert.match(refused.headers.get('www-authenticate') ?? '', /^Basic realm=/);
        }
        for (const authorization of ['Basic', 'Basic !!!', 'Bearer abc', `Basic ${'a'.repeat(10_000)}`]) {
          assert.equal(
            (await fetch(url, { headers: { authorization } })).status,
            401,
            authorization.slice(0, 20),
          );
        }
        assert.equal((await fetch(url, basic(DOCS_USERNAME, DOCS_PASSWORD))).status, 200, path);
      }
    });

    it('[HTTP-1] is a page whose scripts are files that the server has', async () => {
      const response = await fetch(`${server.url}/docs`, basic(DOCS_USERNAME, DOCS_PASSWORD));
      const html = await response.text();
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /script-src 'self';/);
      assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|\son\w+=/);
      const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file);
      assert.ok(files.length >= 4);
      for (const file of files) {
        const found = await fetch(`${server.url}${file}`, basic(DOCS_USERNAME, DOCS_PASSWORD));
        assert.equal(found.status, 200, file);
        await found.arrayBuffer();
      }
    });

    for (const [production, status] of [
      [true, 404],
      [false, 200],
    ] as const) {
      it(`[HTTP-1] without user name and password: ${status} ${production ? 'in' : 'outside'} production`, async () => {
        const { config } = fakeHttpDeps();
        const http = await startFakeHttp({ config: { ...config, production } });
        try {
          for (const path of ['/docs', '/docs/openapi.json', '/docs/asyncapi.json']) {
            assert.equal((await fetch(`${http.url}${path}`)).status, status, path);
          }
          const wrong = await fetch(`${http.url}/docs`, { method: 'POST' });
          assert.equal(wrong.status, production ? 404 : 405);
        } finally {
          await http.stop();
        }
      });
    }
  });

  it('is the same whoever asks', () => {
    assert.equal(JSON.stringify(createOpenApi('1')), JSON.stringify(createOpenApi('1')));
  });
});
