import assert from 'node:assert/strict';
import { createMemoryStreams } from '../../../server/cluster/memory.ts';
import { AppError } from '../../../server/core/errors.ts';
import { createSilentLogger } from '../../../server/core/logger.ts';
import { createLogService } from '../../../server/logs/service.ts';
import type { SshPool } from '../../../server/ssh/types.ts';
import { until } from '../../support/until.ts';

const fail = () => Promise.reject(new AppError('host_unreachable'));
const pool: SshPool = {
  exec: fail,
  login: fail,
  run: fail,
  stats: () => ({ connections: 0, channels: 0 }),
  stop: async () => {},
};
const sink = { deliver() {}, gap() {}, failed() {}, backlog: () => 0, ended() {} };

describe('the names of streams', () => {
  /** What the stream of a host is called in the cluster. */
  async function nameOf(host: string): Promise<string> {
    const names = new Set<string>();
    const store = createMemoryStreams();
    const service = createLogService({
      pool,
      store,
      leases: {
        acquire: async (name: string) => {
          names.add(name);
          return null;
        },
        stop: async () => {},
      },
      secrets: ['secret'],
      logger: createSilentLogger(),
    });
    const target = {
      host,
      port: 22,
      username: 'u',
      credential: { method: 'password' as const, password: 'p' },
    };
    service.subscribe({ id: 'session', target }, 'execution', { tail: 1 }, sink);
    await until(() => names.size > 0);
    await service.stop();
    await store.stop();
    return [...names].join();
  }

  it('[LOG-6] two hosts that only lower-casing makes alike have two streams', async () => {
    // Names are resolved as ss.example and as xn--zca.example.
    assert.notEqual(await nameOf('\u1e9e.example'), await nameOf('\u00df.example'));
  });

  it('[LOG-1] one host in several spellings has one stream', async () => {
    const name = await nameOf('node.example');
    for (const spelling of ['NODE.example', 'node.example.']) assert.equal(await nameOf(spelling), name);
    assert.equal(await nameOf('10.1.2.3'), await nameOf('::ffff:10.1.2.3'));
  });
});
