import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createProxyTrust } from '../../server/core/client-address.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import { createMetrics } from '../../server/core/metrics.ts';
import { createOriginPolicy } from '../../server/core/origin-policy.ts';
import { createHttpApp } from '../../server/http/app.ts';
import { createNodeServer } from '../../server/http/node-server.ts';
import { createRateLimit } from '../../server/http/rate-limit.ts';
import type { HttpDeps } from '../../server/http/types.ts';
import type { Session, SessionStore } from '../../server/sessions/types.ts';
import type { SshTarget } from '../../server/ssh/types.ts';

/** A session store that seals and forgets nothing; for tests of the HTTP layer alone. */
function createFakeSessions() {
  const sessions = new Map<string, Session>();
  const store: SessionStore = {
    async create(target: SshTarget, options = {}) {
      const token = randomBytes(32).toString('base64url');
      const now = Date.now();
      const session: Session = {
        id: randomBytes(32).toString('hex'),
        target,
        demo: options.demo ?? false,
        createdAt: now,
        expiresAt: now + 60_000,
      };
      sessions.set(token, session);
      return { token, session };
    },
    get: async (token) => sessions.get(token) ?? null,
    touch: async (_token, session) => session.expiresAt,
    revoke: async (token) => sessions.delete(token),
    markProven: async () => undefined,
    isProven: async () => true,
    stop: async () => undefined,
  };
  return store;
}

export interface FakeHttp {
  url: string;
  port: number;
  sessions: SessionStore;
  stop(): Promise<void>;
}

/** Everything that the HTTP application needs, faked: every login succeeds, every download is empty. */
export function fakeHttpDeps(overrides: Partial<HttpDeps> = {}): HttpDeps {
  const sessions = createFakeSessions();
  return {
    config: {
      production: false,
      frontendUrls: ['http://localhost:3000'],
      allowedUnits: ['execution', 'consensus'],
      metricsToken: undefined,
      sessionMaxAgeMs: 86_400_000,
      docsUsername: undefined,
      docsPassword: undefined,
    },
    version: '0.0.0-test',
    logger: createSilentLogger(),
    metrics: createMetrics(),
    trust: createProxyTrust({ kind: 'none' }),
    originPolicy: createOriginPolicy({ allowed: ['http://localhost:3000'] }),
    sessions,
    async login({ target, demo }) {
      const opened = await sessions.create(target, { demo: demo ?? false });
      const hostKey = {
        algorithm: 'ssh-ed25519',
        fingerprint: `SHA256:${'a'.repeat(43)}`,
        firstSeen: '2026-01-01T00:00:00.000Z',
        pinned: true,
      };
      return { ...opened, hostKey };
    },
    logout: (token) => sessions.revoke(token),
    demoTarget: () => null,
    downloads: { async *download() {} },
    loginLimit: createRateLimit({ name: 'test', perMinute: 1000 }),
    rooms: null,
    readiness: () => ({ ready: true, checks: { store: true } }),
    counts: () => ({ rooms: 0, clients: 0 }),
    dashboardDir: '/nonexistent',
    ...overrides,
  };
}

/**
 * The real HTTP application on a free port, with fakes behind it: every login succeeds, every download is empty.
 * What a test is about it brings itself in `overrides`.
 */
export async function startFakeHttp(overrides: Partial<HttpDeps> = {}): Promise<FakeHttp> {
  const deps = fakeHttpDeps(overrides);
  const server = createNodeServer(createHttpApp(deps));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    sessions: deps.sessions,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
