import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { SshTarget } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { redisPlace } from '../support/session-place.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const target: SshTarget = {
  host: 'node.example',
  port: 22,
  username: 'ubuntu',
  credential: { method: 'password', password: 'canary-pa55word' },
};
const keyTarget: SshTarget = {
  ...target,
  credential: { method: 'privateKey', privateKey: 'canary-key', passphrase: 'canary-phrase' },
  hostKey: 'SHA256:abc',
};

describe('session store in redis, beside an original app', () => {
  let server: RedisServer;
  let place: Awaited<ReturnType<typeof redisPlace>>;

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
  });
  beforeEach(async () => {
    place = await redisPlace(server);
  });
  afterEach(() => place.close());

  /** As `connectionManager` of the original writes it. */
  async function login(fields: object = {}, ttlS = 10_200): Promise<string> {
    const token = randomUUID();
    const session = {
      host: 'node.example',
      username: 'ubuntu',
      password: 'pw',
      port: 22,
      lastAccessed: Date.now(),
    };
    await server.cli(
      'SETEX',
      `ssh_session:${token}`,
      String(ttlS),
      JSON.stringify({ ...session, ...fields }),
    );
    return token;
  }

  it('[SES-1] accepts its session, renews the TTL and leaves the JSON as it is', async () => {
    const token = await login({}, 100);
    const json = await server.cli('GET', `ssh_session:${token}`);
    const session = await place.open().get(token);
    assert.deepEqual(session?.target, {
      host: 'node.example',
      port: 22,
      username: 'ubuntu',
      credential: { method: 'password', password: 'pw' },
    });
    assert.equal(await server.cli('GET', `ssh_session:${token}`), json);
    assert.ok(Number(await server.cli('TTL', `ssh_session:${token}`)) > 10_000);
    assert.ok(Math.abs((session?.expiresAt ?? 0) - Date.now() - 10_200_000) < 10_000);
  });

  it('[SES-1] never shortens the life its app gave it, and gives one to a key without', async () => {
    const long = await login({}, 50_000);
    await place.open().get(long);
    assert.ok(Number(await server.cli('TTL', `ssh_session:${long}`)) > 49_000);
    const endless = await login();
    await server.cli('PERSIST', `ssh_session:${endless}`);
    await place.open().get(endless);
    assert.ok(Number(await server.cli('TTL', `ssh_session:${endless}`)) > 10_000);
  });

  it('[SES-1] answers a damaged session with null', async () => {
    const store = place.open();
    for (const text of ['{', 'null', '[]', '"x"', '{"host":1}', '']) {
      const token = randomUUID();
      await server.cli('SET', `ssh_session:${token}`, text);
      assert.equal(await store.get(token), null, text);
    }
    const list = randomUUID();
    await server.cli('LPUSH', `ssh_session:${list}`, 'x');
    assert.equal(await store.get(list), null);
  });

  it('[SES-1] ends a plain session at the absolute age too, counted from its login', async () => {
    const store = place.open();
    const old = await login({ lastAccessed: Date.now() - 25 * 3_600_000 });
    assert.equal(await store.get(old), null);
    assert.equal(await server.cli('EXISTS', `ssh_session:${old}`), '0', 'nor does its password stay');

    let now = Date.now();
    const later = place.open({ now: () => now, maxAgeMs: 60_000 });
    const unknown = await login({ lastAccessed: undefined });
    assert.ok(await later.get(unknown));
    now += 40_000;
    const end = (await later.get(unknown))?.expiresAt ?? Number.POSITIVE_INFINITY;
    assert.ok(end <= now + 20_000, 'first seen 40 s ago');
    now += 25_000;
    assert.equal(await later.get(unknown), null);
  });

  it('[SES-1] replaces it by a sealed one with SEAL_PLAIN_SESSIONS, once, under the same token', async () => {
    const token = await login({ password: 'canary-plain' });
    const [a, b] = [place.open({ sealPlain: true }), place.open({ sealPlain: true })];
    const found = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).get(token)));
    for (const session of found) {
      assert.equal(session?.target.host, 'node.example');
    }
    assert.equal(await server.cli('EXISTS', `ssh_session:${token}`), '0');
    assert.ok(await place.open().get(token), 'and without the setting');
    const session = found[0];
    assert.ok(session && (await a.touch(token, session)));
  });

  it('[SES-1] [S12] writes no credential and no token into Redis', async () => {
    const store = place.open();
    const { token, session } = await store.create(keyTarget);
    await store.markProven(session);
    await place.open({ sealPlain: true }).get(await login({ password: 'canary-plain' }));
    const dump: string[] = [];
    for (const key of (await server.cli('KEYS', '*')).split('\n')) {
      if (/canary|tailwire:/.test(key)) dump.push(key, await server.cli('GET', key));
    }
    assert.ok(dump.length >= 6);
    for (const secret of [token, 'canary']) assert.ok(!dump.join('\n').includes(secret), secret);
  });

  it('[SES-1] opens sessions of an older secret until that is withdrawn', async () => {
    const { token } = await place.open({ secrets: ['one'] }).create(target);
    assert.ok(await place.open({ secrets: ['two', 'one'] }).get(token));
    assert.equal(await place.open({ secrets: ['two'] }).get(token), null);
  });

  it('[SIO-8] takes a key that its app deleted for a logout', async () => {
    const store = place.open();
    const token = await login();
    const session = await store.get(token);
    assert.ok(session);
    await server.cli('DEL', `ssh_session:${token}`);
    assert.deepEqual(await store.fates([token]), ['logout']);
    assert.equal(await store.touch(token, session), null);
    assert.equal(await store.get(token), null);
  });

  it('[SIO-8] revokes both forms', async () => {
    const store = place.open();
    const token = await login();
    assert.ok(await store.get(token));
    assert.equal(await store.revoke(token), true);
    assert.equal(await server.cli('EXISTS', `ssh_session:${token}`), '0');
  });

  it('[SES-7] puts sessions in use back into a Redis that lost everything, sealed', async () => {
    const [a, b] = [place.open(), place.open()];
    const plainToken = await login();
    const plain = await a.get(plainToken);
    const { token, session } = await a.create(target);
    assert.ok(plain);
    await server.cli('FLUSHALL');
    assert.deepEqual(await b.fates([plainToken, token]), ['lost', 'lost']);
    const ends = await Promise.all([
      a.touch(plainToken, plain),
      b.touch(plainToken, plain),
      a.touch(token, session),
      b.touch(token, session),
    ]);
    for (const end of ends) assert.ok(end !== null && end > Date.now());
    assert.equal(
      await server.cli('EXISTS', `ssh_session:${plainToken}`),
      '0',
      'Tailwire writes nothing plain',
    );
    assert.deepEqual((await b.get(plainToken))?.target, plain.target);
    assert.equal((await b.get(plainToken))?.createdAt, plain.createdAt, 'with its age');
  });

  it('[SES-7] puts nothing back that was ended while Redis was empty', async () => {
    const [a, b] = [place.open(), place.open()];
    const { token, session } = await a.create(target);
    await server.cli('FLUSHALL');
    await a.revoke(token);
    assert.equal(await b.touch(token, session), null);
  });

  it('[SES-7] repeats an end that a Redis from an older copy has forgotten', async () => {
    const here = place.open();
    const { token, session } = await here.create(target);
    const other = await redisPlace(server);
    try {
      const store = other.open();
      assert.equal(await store.revoke(token), true);
      await server.cli('FLUSHALL');
      await server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      // Its own connection was cut, too, and may still be coming back.
      await until(async () => (await here.touch(token, session).catch(() => 'away')) === null, 5000);
      assert.deepEqual(await store.fates([token]), ['logout']);
    } finally {
      await other.close();
    }
  });

  it('leaves no key without an end', async () => {
    const store = place.open();
    const token = await login();
    const session = await store.get(token);
    assert.ok(session);
    await store.claimProof(session, 1000);
    await store.markProven(session);
    await store.revoke(token);
    await store.revoke(randomUUID());
    for (const key of (await server.cli('KEYS', 'tailwire:*')).split('\n')) {
      assert.ok(Number(await server.cli('TTL', key)) > 0, key);
    }
  });

  it('[R10] says store_unavailable while Redis has no memory left, and keeps nothing half', async () => {
    const store = place.open({ sealPlain: true });
    const token = await login();
    await server.cli('CONFIG', 'SET', 'maxmemory', '1');
    try {
      await assert.rejects(store.create(target), { code: 'store_unavailable' });
      await assert.rejects(store.get(token), { code: 'store_unavailable' });
      assert.equal(await server.cli('EXISTS', `ssh_session:${token}`), '1');
    } finally {
      await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    }
    assert.ok(await store.get(token));
  });

  it('says store_unavailable in time when Redis is away, and works again afterwards', async () => {
    const store = place.open();
    const { token } = await store.create(target);
    for (const [away, back] of [
      [() => server.kill(), () => server.restart()],
      [async () => server.freeze(), async () => server.thaw()],
    ] as const) {
      await away();
      try {
        const took = startStopwatch();
        await assert.rejects(store.get(token), { code: 'store_unavailable' });
        assert.ok(took() < 1600, `${took()} ms`);
      } finally {
        await back();
      }
      await until(async () => (await store.create(target).catch(() => null)) !== null, 8000);
    }
  });
});
