import assert from 'node:assert/strict';
import type { RedisConnections } from '../../server/redis/connections.ts';
import {
  createMemoryReplayGuard,
  createRedisReplayGuard,
  REMEMBER_MS,
  type ReplayGuard,
} from '../../server/rooms/replay-guard.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';

function behaves(make: () => ReplayGuard): void {
  it('[WS-2] lets each push of a room pass once, however many ask at the same time', async () => {
    const guard = make();
    const answers = await Promise.all(Array.from({ length: 20 }, () => guard.claim('r', 'one')));
    assert.equal(answers.filter(Boolean).length, 1);
    assert.equal(await guard.claim('r', 'two'), true);
    assert.equal(await guard.claim('s', 'one'), true);
    assert.equal(await guard.claim('r:s', 'x'), true);
    assert.equal(await guard.claim('r', 's:x'), true);
  });

  it('[WS-2] lets one that was not delivered be tried again', async () => {
    const guard = make();
    assert.equal(await guard.claim('again', 'one'), true);
    await guard.release('again', 'one');
    assert.equal(await guard.claim('again', 'one'), true);
    assert.equal(await guard.claim('again', 'one'), false);
  });
}

describe('replay guard in memory', () => {
  behaves(() => createMemoryReplayGuard());

  it('forgets in time', async () => {
    let now = 0;
    const guard = createMemoryReplayGuard({ now: () => now });
    await guard.claim('r', 'one');
    now = REMEMBER_MS - 1;
    assert.equal(await guard.claim('r', 'one'), false);
    now = REMEMBER_MS;
    assert.equal(await guard.claim('r', 'one'), true);
  });
});

describe('replay guard in Redis', () => {
  let server: RedisServer;
  let redis: RedisConnections;

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    redis = await connectRedis(server);
  });
  after(async () => {
    await redis?.stop();
    await server?.stop();
  });

  behaves(() => createRedisReplayGuard({ redis }));

  it('leaves no key without an end', async () => {
    await createRedisReplayGuard({ redis }).claim('r', 'ttl');
    const names = await redis.commands.keys('tailwire:room-push:*');
    assert.ok(names.length > 0);
    for (const name of names) assert.ok((await redis.commands.pttl(name)) > 0, name);
  });
});
