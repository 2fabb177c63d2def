import assert from 'node:assert/strict';
import { AppError } from '../../server/core/errors.ts';
import type { RedisConnections } from '../../server/redis/connections.ts';
import {
  createLoginLimits,
  type LoginAttempt,
  type LoginLimits,
} from '../../server/sessions/login-limits.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { startStopwatch } from '../support/stopwatch.ts';

/** Attempts that share nothing but what a test sets. */
let serial = 0;
function attempt(shared: Partial<LoginAttempt> = {}): LoginAttempt {
  serial += 1;
  return {
    clientAddress: `10.${(serial >> 16) & 255}.${(serial >> 8) & 255}.${serial & 255}`,
    host: `192.0.2.${serial}`,
    port: 22,
    username: `user${serial}`,
    ...shared,
  };
}

async function tryLogin(
  limits: LoginLimits,
  of: LoginAttempt,
  outcome: ErrorCode | null,
): Promise<'let in' | number> {
  let settle: Awaited<ReturnType<LoginLimits['begin']>>;
  try {
    settle = await limits.begin(of);
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'too_many_logins');
    assert.ok(error.retryAfterMs !== undefined && error.retryAfterMs > 0);
    return error.retryAfterMs;
  }
  await settle(outcome);
  return 'let in';
}

function limitSuite(name: string, open: () => Promise<LoginLimits[]>): void {
  describe(`login limits in ${name}`, () => {
    let instances: LoginLimits[];
    const pick = (n: number): LoginLimits => instances[n % instances.length] as LoginLimits;

    beforeEach(async () => {
      instances = await open();
    });

    it('[SES-5] lets 10 wrong passwords of one address through, on whatever instances, and no success counts', async () => {
      const clientAddress = attempt().clientAddress;
      for (let n = 0; n < 40; n += 1)
        assert.equal(await tryLogin(pick(n), attempt({ clientAddress }), null), 'let in');
      const answers = [];
      for (let n = 0; n < 20; n += 1)
        answers.push(await tryLogin(pick(n), attempt({ clientAddress }), 'auth_failed'));
      assert.equal(answers.filter((answer) => answer === 'let in').length, 10);
      assert.ok(answers.slice(10).every((answer) => typeof answer === 'number' && answer <= 900_000));
      assert.equal(await tryLogin(pick(0), attempt(), null), 'let in', 'another address is not touched');
    });

    it('[SES-5] [S13] lets no more through when they come all at once', async () => {
      const clientAddress = attempt().clientAddress;
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, n) => tryLogin(pick(n), attempt({ clientAddress }), 'auth_failed')),
      );
      assert.equal(answers.filter((answer) => answer === 'let in').length, 10);
    });

    it('[SES-5] holds 30 right logins of one address that come at once up for nothing', async () => {
      const clientAddress = attempt().clientAddress;
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) => tryLogin(pick(n), attempt({ clientAddress }), null)),
      );
      assert.ok(answers.every((answer) => answer === 'let in'));
    });

    it('[SES-5] counts hosts that cannot be reached for less, and a forbidden host or an unreadable key for nothing', async () => {
      const count = async (outcome: ErrorCode): Promise<number> => {
        const clientAddress = attempt().clientAddress;
        let passed = 0;
        while (
          passed < 50 &&
          (await tryLogin(pick(passed), attempt({ clientAddress }), outcome)) === 'let in'
        )
          passed += 1;
        return passed;
      };
      assert.equal(
        await count('host_unreachable'),
        28,
        '30 points, of which an attempt needs 3 at its start',
      );
      assert.equal(await count('host_not_allowed'), 50);
      assert.equal(await count('invalid_key'), 50);
    });

    it('[SES-5] takes an IPv6 customer for one address, and IPv4 in IPv6 for IPv4', async () => {
      for (let n = 0; n < 10; n += 1) {
        await tryLogin(pick(n), attempt({ clientAddress: `2001:db8:0:1::${n + 1}` }), 'auth_failed');
        await tryLogin(
          pick(n),
          attempt({ clientAddress: n % 2 ? '198.51.100.7' : '::ffff:198.51.100.7' }),
          'auth_failed',
        );
      }
      assert.notEqual(
        await tryLogin(pick(0), attempt({ clientAddress: '2001:db8:0:1:ffff::' }), null),
        'let in',
      );
      assert.equal(await tryLogin(pick(0), attempt({ clientAddress: '2001:db8:0:2::1' }), null), 'let in');
      assert.notEqual(await tryLogin(pick(0), attempt({ clientAddress: '198.51.100.7' }), null), 'let in');
    });

    it('[SES-5] [S17] lets two wrong passwords through to a host, then one every 5 s: below what sshd penalises', async () => {
      const { host } = attempt();
      const started = Date.now();
      const at: number[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async (_, n) => {
          if ((await tryLogin(pick(n), attempt({ host }), 'auth_failed')) === 'let in')
            at.push(Date.now() - started);
        }),
      );
      // sshd's own count: 5 s for each failure, running off; it blocks at 15 s.
      let debt = 0;
      let last = 0;
      for (const time of at.sort((a, b) => a - b)) {
        debt = Math.max(0, debt - (time - last)) + 5000;
        last = time;
        assert.ok(debt < 15_000, `${debt} ms after ${time} ms`);
      }
      assert.ok(at.length >= 3 && at.length <= 4, `${at.length} got their turn within 8 s`);
      assert.equal(await tryLogin(pick(0), attempt({ host: attempt().host }), null), 'let in');
    });

    it('[SES-5] does not let others lock out who has logged in from the same place before', async () => {
      const regular = attempt();
      assert.equal(await tryLogin(pick(0), regular, null), 'let in');
      const { host, username } = regular;
      await Promise.all(
        Array.from({ length: 3 }, (_, n) => tryLogin(pick(n), attempt({ host }), 'auth_failed')),
      );
      for (let n = 0; n < 21; n += 1) await tryLogin(pick(n), attempt({ username }), 'auth_failed');
      const took = startStopwatch();
      assert.equal(await tryLogin(pick(1), regular, null), 'let in');
      assert.ok(took() < 1000);
      assert.notEqual(await tryLogin(pick(1), attempt({ username }), null), 'let in');
    });

    it('[SES-5] lets one user name fail 20 times in 5 minutes over all hosts', async () => {
      const { username } = attempt();
      const answers = [];
      for (let n = 0; n < 30; n += 1)
        answers.push(await tryLogin(pick(n), attempt({ username }), 'auth_failed'));
      assert.equal(answers.filter((answer) => answer === 'let in').length, 20);
      assert.ok(answers.slice(20).every((answer) => typeof answer === 'number' && answer <= 300_000));
    });
  });
}

limitSuite('memory', async () => [createLoginLimits()]);

describe('login limits with redis', () => {
  let server: RedisServer;
  let connections: RedisConnections[];

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    connections = await Promise.all([1, 2, 3].map(() => connectRedis(server)));
  });
  after(() => Promise.all((connections ?? []).map((redis) => redis.stop())));

  limitSuite('redis, three instances', async () => {
    await server.cli('FLUSHALL');
    return connections.map((redis) => createLoginLimits({ redis }));
  });

  it('[SES-5] keeps names and addresses in encoded keys that all end', async () => {
    const limits = createLoginLimits({ redis: connections[0] as RedisConnections });
    await tryLogin(limits, attempt({ username: '*:{x}\r\n', clientAddress: '2001:db8::1' }), 'auth_failed');
    for (const key of (await server.cli('KEYS', '*')).split('\n')) {
      assert.match(key, /^tailwire:login:[a-z]+:[A-Za-z0-9._%-]+(:failed)?$/);
      assert.ok(Number(await server.cli('TTL', key)) > 0, key);
    }
  });

  it('[SES-5] [R14] locks nobody out for an hour more where the clock of Redis was set back', async () => {
    const limits = createLoginLimits({ redis: connections[0] as RedisConnections });
    const { clientAddress, host } = attempt();
    for (let n = 0; n < 10; n += 1) await tryLogin(limits, attempt({ clientAddress }), 'auth_failed');
    assert.notEqual(await tryLogin(limits, attempt({ clientAddress }), null), 'let in');
    await tryLogin(limits, attempt({ host }), 'auth_failed');
    for (const key of (await server.cli('KEYS', '*')).split('\n')) {
      const left = Number(await server.cli('PTTL', key));
      await server.cli('PEXPIRE', key, String(left + 3_600_000));
    }
    assert.equal(await tryLogin(limits, attempt({ clientAddress }), null), 'let in');
    assert.equal(await tryLogin(limits, attempt({ host }), null), 'let in');
  }).timeout(20_000);

  it('[SES-5] limits on its own while Redis is away', async () => {
    const limits = createLoginLimits({ redis: connections[0] as RedisConnections });
    await server.kill();
    try {
      const clientAddress = attempt().clientAddress;
      const answers = [];
      for (let n = 0; n < 12; n += 1)
        answers.push(await tryLogin(limits, attempt({ clientAddress }), 'auth_failed'));
      assert.equal(answers.filter((answer) => answer === 'let in').length, 10);
    } finally {
      await server.restart();
    }
  });
});
