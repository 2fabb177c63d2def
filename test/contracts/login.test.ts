import assert from 'node:assert/strict';
import { AppError } from '../../server/core/errors.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import { createLogins, type Logins } from '../../server/sessions/login.ts';
import { createLoginLimits, type LoginLimits } from '../../server/sessions/login-limits.ts';
import {
  createMemorySessionStore,
  createRedisSessionStore,
  type FullSessionStore,
} from '../../server/sessions/session-store.ts';
import type { SshTarget } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { startStopwatch } from '../support/stopwatch.ts';

const target: SshTarget = {
  host: 'node.example',
  port: 22,
  username: 'ubuntu',
  credential: { method: 'password', password: 'right' },
};
const wrong: SshTarget = { ...target, credential: { method: 'password', password: 'wrong' } };
const hostKey = {
  algorithm: 'ssh-ed25519',
  fingerprint: 'SHA256:x',
  firstSeen: '2026-01-01T00:00:00.000Z',
  pinned: true,
};
const clientAddress = '198.51.100.1';
/** Stands for "as long as an SSH login takes", ms. */
const LOGIN_TIME = 30;

interface Instance {
  store: FullSessionStore;
  logins: Logins;
}

/** SSH logins of all instances, each of which takes a moment. */
class FakeHost {
  logins = 0;
  fails: AppError | null = null;

  async login({ credential }: SshTarget): Promise<typeof hostKey> {
    this.logins += 1;
    await new Promise((resolve) => setTimeout(resolve, LOGIN_TIME));
    if (this.fails) throw this.fails;
    if (credential.method === 'password' && credential.password === 'right') return hostKey;
    throw new AppError('auth_failed');
  }
}

function instanceOf(
  host: FakeHost,
  store: FullSessionStore,
  limits: LoginLimits,
  timeFloorMs = 300,
): Instance {
  const targets = { resolve: async () => ({ address: '192.0.2.1', family: 4 as const }) };
  return { store, logins: createLogins({ pool: host, sessions: store, limits, targets, timeFloorMs }) };
}

function loginSuite(name: string, open: (host: FakeHost) => Promise<Instance[]>): void {
  describe(`login over ${name}`, () => {
    let host: FakeHost;
    let instances: Instance[];
    const pick = (n: number): Instance => instances[n % instances.length] as Instance;

    beforeEach(async () => {
      host = new FakeHost();
      instances = await open(host);
    });

    it('[SES-2] [SES-6] opens a session whose credential counts as proven everywhere', async () => {
      const {
        token,
        session,
        hostKey: key,
      } = await pick(0).logins.login({ target, clientAddress, units: ['execution'] });
      assert.deepEqual(key, hostKey);
      assert.deepEqual(session.units, ['execution']);
      const found = await pick(1).store.get(token);
      assert.ok(found);
      await pick(1).logins.prove(found, clientAddress);
      assert.equal(host.logins, 1);
    });

    it('[SES-6] proves a session with one login for a thousand sockets on all instances', async () => {
      const { token } = await pick(0).store.create(target);
      await Promise.all(
        Array.from({ length: 1000 }, async (_, n) => {
          const session = await pick(n).store.get(token);
          assert.ok(session);
          await pick(n).logins.prove(session, clientAddress);
        }),
      );
      assert.equal(host.logins, 1);
    });

    it('[SES-6] tries a refused password once for all of them', async () => {
      const { session } = await pick(0).store.create(wrong);
      const proofs = await Promise.allSettled(
        Array.from({ length: 300 }, (_, n) => pick(n).logins.prove(session, clientAddress)),
      );
      for (const proof of proofs) {
        assert.ok(proof.status === 'rejected' && proof.reason.code === 'auth_failed');
      }
      await assert.rejects(pick(1).logins.prove(session, clientAddress), { code: 'auth_failed' });
      assert.equal(host.logins, 1);
      assert.equal(await pick(0).store.isProven(session), false);
    });

    it('[SES-6] proves anew after a failure that was not the credential`s', async () => {
      const { session } = await pick(0).store.create(target);
      host.fails = new AppError('ssh_busy');
      await assert.rejects(pick(0).logins.prove(session, clientAddress), { code: 'ssh_busy' });
      host.fails = null;
      await pick(1).logins.prove(session, clientAddress);
      assert.equal(host.logins, 2);
    });

    it('[SES-5] passes the limits` refusal on and touches no host then', async () => {
      for (let n = 0; n < 10; n += 1) {
        const username = `user${n}`;
        host.fails = new AppError('host_unreachable');
        for (let m = 0; m < 3; m += 1) {
          await pick(n)
            .logins.login({ target: { ...wrong, username }, clientAddress: '203.0.113.9' })
            .catch(() => undefined);
        }
      }
      const before = host.logins;
      await assert.rejects(
        pick(0).logins.login({ target, clientAddress: '203.0.113.9' }),
        (error: AppError) => {
          return error.code === 'too_many_logins' && (error.retryAfterMs ?? 0) > 0;
        },
      );
      assert.equal(host.logins, before);
    });
  });
}

loginSuite('memory', async (host) => {
  const instance = instanceOf(host, createMemorySessionStore({ secrets: ['s'] }), createLoginLimits(), 20);
  return [instance];
});

describe('login with redis', () => {
  let server: RedisServer;
  let connections: RedisConnections[];

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    connections = await Promise.all([1, 2, 3].map(() => connectRedis(server)));
  });
  after(() => Promise.all((connections ?? []).map((redis) => redis.stop())));

  loginSuite('redis, three instances', async (host) => {
    await server.cli('FLUSHALL');
    return connections.map((redis) =>
      instanceOf(host, createRedisSessionStore({ redis, secrets: ['s'] }), createLoginLimits({ redis }), 20),
    );
  });
});

describe('login timing', () => {
  async function timeOf(code: 'auth_failed' | 'host_unreachable' | 'host_not_allowed', takesMs: number) {
    const pool = {
      login: async () => {
        await new Promise((resolve) => setTimeout(resolve, takesMs));
        throw new AppError(code);
      },
    };
    const store = createMemorySessionStore({ secrets: ['s'] });
    const targets = {
      resolve: async () => {
        throw new AppError('host_not_allowed');
      },
    };
    const { login } = createLogins({
      pool,
      sessions: store,
      limits: createLoginLimits(),
      targets,
      timeFloorMs: 400,
    });
    const started = performance.now();
    const took = startStopwatch();
    await assert.rejects(login({ target, clientAddress }), { code });
    return { wall: performance.now() - started, fair: took() };
  }

  it('[SES-4] [S8] answers a refused, an unreachable and a forbidden host after the same time', async () => {
    const times = await Promise.all([
      timeOf('auth_failed', 150),
      timeOf('host_unreachable', 1),
      timeOf('host_not_allowed', 0),
      timeOf('host_unreachable', 350),
    ]);
    for (const { wall, fair } of times) assert.ok(wall >= 395 && fair < 520, `${wall} ms`);
    const slow = await timeOf('host_unreachable', 450);
    assert.ok(slow.wall >= 795 && slow.fair < 920, `${slow.wall} ms`);
  });
});
