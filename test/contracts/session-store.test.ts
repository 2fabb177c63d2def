import assert from 'node:assert/strict';
import { createMemorySessionStore, type FullSessionStore } from '../../server/sessions/session-store.ts';
import type { SshTarget } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { startRedis } from '../support/redis.ts';
import { redisPlace, type SessionPlace } from '../support/session-place.ts';
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
const SECRETS = ['a secret for the tests'];

function storeSuite(
  name: string,
  start: (context: Mocha.Context) => Promise<() => Promise<SessionPlace>>,
): void {
  describe(`session store in ${name}`, () => {
    let newPlace: () => Promise<SessionPlace>;
    let place: SessionPlace;
    let now: number;
    const clock = () => now;

    before(async function () {
      newPlace = await start(this);
    });
    beforeEach(async () => {
      now = Date.now();
      place = await newPlace();
    });
    afterEach(() => place.close());

    it('[SES-2] gives a new session a token that finds it', async () => {
      const store = place.open();
      const { token, session } = await store.create(keyTarget, { demo: true, units: ['execution'] });
      assert.equal(token.length, 43);
      assert.match(session.id, /^[0-9a-f]{64}$/);
      assert.ok(!JSON.stringify(session).includes(token));
      const found = await store.get(token);
      assert.deepEqual(found?.target, keyTarget);
      assert.deepEqual(found?.units, ['execution']);
      assert.equal(found?.demo, true);
      assert.equal(found?.id, session.id);
      assert.equal(found?.createdAt, session.createdAt);
    });

    it('[SES-1] knows no token that it did not give', async () => {
      const store = place.open();
      const { token } = await store.create(target);
      for (const wrong of [
        `${token}x`,
        token.slice(1),
        '',
        '*',
        'a:b',
        'x'.repeat(5000),
        'é',
        token.toLowerCase(),
      ]) {
        assert.equal(await store.get(wrong), null);
        assert.equal(await store.revoke(wrong), false);
      }
      assert.ok(await store.get(token));
    });

    it('[SES-1] slides the end with each use, never past the absolute one', async () => {
      const store = place.open({ now: clock, ttlMs: 60_000, maxAgeMs: 100_000 });
      const { token, session } = await store.create(target);
      assert.equal(session.expiresAt, now + 60_000);
      now += 50_000;
      assert.equal((await store.get(token))?.expiresAt, session.createdAt + 100_000);
      assert.equal(await store.touch(token, session), session.createdAt + 100_000);
      now += 50_000;
      assert.equal(await store.get(token), null, 'the absolute end');
      assert.equal(await store.touch(token, session), null);
    });

    it('[SES-1] ends a session that nobody uses', async () => {
      const store = place.open({ ttlMs: 500 });
      const { token } = await store.create(target);
      assert.ok(await store.get(token));
      // Asking earlier would be a use.
      await new Promise((resolve) => setTimeout(resolve, 550));
      assert.equal(await store.get(token), null);
    });

    it('[SIO-8] ends a session for good', async () => {
      const store = place.open();
      const { token } = await store.create(target);
      assert.deepEqual(await store.fates([token]), ['alive']);
      assert.equal(await store.revoke(token, 'revoked'), true);
      assert.equal(await store.revoke(token), false);
      assert.equal(await store.get(token), null);
      assert.deepEqual(await store.fates([token, 'never-given']), ['revoked', 'lost']);
    });

    it('[SES-7] never puts a revoked session back', async () => {
      const store = place.open();
      const { token, session } = await store.create(target);
      const outcomes = await Promise.all([
        ...Array.from({ length: 20 }, () => store.touch(token, session)),
        store.revoke(token),
        ...Array.from({ length: 20 }, () => store.touch(token, session)),
      ]);
      assert.equal(outcomes.at(-1), null);
      assert.equal(await store.touch(token, session), null);
      assert.equal(await store.get(token), null);
    });

    it('refuses to touch with a token of another session', async () => {
      const store = place.open();
      const [one, two] = [await store.create(target), await store.create(target)];
      assert.equal(await store.touch(one.token, two.session), null);
    });

    it('[SES-6] remembers a proof for exactly that credential', async () => {
      const store = place.open();
      const { session } = await store.create(target);
      assert.equal(await store.isProven(session), false);
      await store.markProven(session);
      assert.equal(await store.isProven(session), true);
      assert.equal(await store.claimProof(session, 1000), 'proven');
      for (const other of [
        { ...target, host: 'other.example' },
        { ...target, port: 23 },
        { ...target, username: 'root' },
        { ...target, credential: { method: 'password', password: 'x' } as const },
      ]) {
        assert.equal(await store.isProven({ ...session, target: other }), false, '[LOG-6]');
      }
    });

    it('[SES-6] gives a proof to one at a time, and again when that one is gone', async () => {
      const store = place.open();
      const { session } = await store.create(target);
      const claims = await Promise.all(Array.from({ length: 50 }, () => store.claimProof(session, 700)));
      assert.equal(claims.filter((claim) => claim === 'taken').length, 1);
      assert.equal(claims.filter((claim) => claim === 'busy').length, 49);
      await until(async () => (await store.claimProof(session, 60_000)) === 'taken');
      await store.failProof(session, 'auth_failed', 500);
      assert.deepEqual(await store.claimProof(session, 1000), { failed: 'auth_failed' });
      await until(async () => (await store.claimProof(session, 60_000)) === 'taken');
      await store.failProof(session, null, 0);
      assert.equal(await store.claimProof(session, 1000), 'taken', 'given back');
    });

    it('answers about many sessions in the order asked', async () => {
      const store = place.open();
      const sessions = await Promise.all(Array.from({ length: 1200 }, () => store.create(target)));
      await Promise.all(
        sessions.filter((_, index) => index % 3 === 0).map(({ token }) => store.revoke(token)),
      );
      const fates = await store.fates(sessions.map(({ token }) => token));
      assert.deepEqual(
        fates,
        sessions.map((_, index) => (index % 3 === 0 ? 'logout' : 'alive')),
      );
    });
  });
}

storeSuite('memory', async () => async () => {
  let store: FullSessionStore | undefined;
  return {
    open(options = {}) {
      store ??= createMemorySessionStore({ secrets: SECRETS, ...options });
      return store;
    },
    close: async () => store?.stop(),
  };
});

storeSuite('redis', async (context) => {
  requirePart(context, 'redis-server');
  const server = await startRedis();
  return () => redisPlace(server);
});
