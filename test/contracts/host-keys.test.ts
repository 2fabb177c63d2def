import assert from 'node:assert/strict';
import type { RedisConnections } from '../../server/redis/connections.ts';
import {
  createHostKeyPolicy,
  createMemoryHostKeyPins,
  createRedisHostKeyPins,
  type HostKeyPins,
} from '../../server/sessions/host-keys.ts';
import type { HostKey, HostKeyPolicy } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { connectRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const key: HostKey = { algorithm: 'ssh-ed25519', fingerprint: 'SHA256:first' };
const other: HostKey = { algorithm: 'ssh-ed25519', fingerprint: 'SHA256:second' };
const at = { host: 'node.example', port: 22 };

function pinSuite(name: string, open: () => Promise<[HostKeyPins, HostKeyPins]>): void {
  describe(`host keys in ${name}`, () => {
    let a: HostKeyPolicy;
    let b: HostKeyPolicy;

    beforeEach(async () => {
      const [first, second] = await open();
      a = createHostKeyPolicy({ pins: first });
      b = createHostKeyPolicy({ pins: second });
    });

    it('[SES-3] pins the first key of a host and port for the whole cluster', async () => {
      const { firstSeen } = await a.check(at, key);
      assert.ok(Math.abs(Date.parse(firstSeen) - Date.now()) < 5000);
      assert.deepEqual(await b.check(at, key), { firstSeen, pinned: true });
      await assert.rejects(b.check(at, other), { code: 'host_key_changed' });
      assert.deepEqual(
        await a.check(at, key),
        { firstSeen, pinned: true },
        'the refused key has changed nothing',
      );
    });

    it('[SES-3] takes the same fingerprint of another algorithm, or another port, for another key', async () => {
      await a.check(at, key);
      await assert.rejects(a.check(at, { ...key, algorithm: 'ssh-rsa' }), { code: 'host_key_changed' });
      await a.check({ ...at, port: 2222 }, other);
      await a.check({ ...at, host: 'other.example' }, other);
    });

    it('[SES-3] knows a host in every spelling of its name', async () => {
      await a.check(at, key);
      for (const host of ['NODE.example', 'node.example.']) {
        await assert.rejects(b.check({ ...at, host }, other), { code: 'host_key_changed' });
      }
      await a.check({ host: '::1', port: 22 }, key);
      await assert.rejects(b.check({ host: '[0:0:0:0:0:0:0:1]', port: 22 }, other), {
        code: 'host_key_changed',
      });
    });

    it('[SES-3] lets one win when several instances meet a host at the same time', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 40 }, (_, n) =>
          (n % 2 ? a : b).check(at, { ...key, fingerprint: `SHA256:${n % 4}` }),
        ),
      );
      const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n % 4] : []));
      assert.equal(winners.length, 10);
      assert.equal(new Set(winners).size, 1);
    });

    it('[SES-3] lets an expected fingerprint decide for its login alone: the pin of all others stays', async () => {
      await assert.rejects(a.check(at, key, 'SHA256:else'), { code: 'host_key_changed' });
      await a.check(at, other);
      await assert.rejects(a.check(at, key, other.fingerprint), { code: 'host_key_changed' });
      await a.check(at, other);
      assert.equal((await a.check(at, key, 'SHA256:first=')).pinned, false);
      assert.equal((await b.check(at, other)).pinned, true);
      await assert.rejects(b.check(at, key), { code: 'host_key_changed' });
    });

    it('pins nothing for a key that is not the expected one', async () => {
      await assert.rejects(a.check(at, key, 'SHA256:else'));
      await b.check(at, other);
    });
  });
}

pinSuite('memory', async () => {
  const pins = createMemoryHostKeyPins();
  return [pins, pins];
});

describe('with redis', () => {
  let server: RedisServer;
  let connections: RedisConnections[];

  before(async function () {
    requirePart(this, 'redis-server');
    server = await startRedis();
    connections = [await connectRedis(server), await connectRedis(server)];
  });
  after(() => Promise.all((connections ?? []).map((redis) => redis.stop())));

  function open(): [HostKeyPins, HostKeyPins] {
    const [first, second] = connections;
    assert.ok(first && second);
    return [createRedisHostKeyPins(first), createRedisHostKeyPins(second)];
  }

  pinSuite('redis', async () => {
    await server.cli('FLUSHALL');
    return open();
  });

  it('[SES-3] accepts no key while the pins cannot be read', async () => {
    const policy = createHostKeyPolicy({ pins: open()[0] });
    await policy.check(at, key);
    await server.kill();
    await assert.rejects(policy.check(at, key), { code: 'store_unavailable' });
    await assert.rejects(policy.check(at, key, key.fingerprint), { code: 'store_unavailable' });
    await server.restart();
    for (const redis of connections) await until(() => redis.isUp());
  });

  it('accepts no key against a damaged pin', async () => {
    const policy = createHostKeyPolicy({ pins: open()[0] });
    for (const text of ['{', 'null', '{}', '{"algorithm":"x"}']) {
      await server.cli('SET', 'tailwire:host-key:node.example:22', text);
      await assert.rejects(policy.check(at, key));
    }
  });
});
