import assert from 'node:assert/strict';
import { giveClock, type HostClock } from '../../scripts/lab/clock.ts';
import { cursorKey } from '../../server/logs/journal/cursor.ts';
import { LAB_TIMEOUT_MS, messageOf, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const HOUR_S = 3600;

/** What a client got: the key of the entry behind each line, and the text; the key of a gap is empty. */
interface Seen {
  key: string;
  text: string;
}

/** Clocks of hosts go wrong: small machines without a battery wake up in the past, and NTP sets them right. */
describe('a host whose clock is set back', () => {
  let lab: TestLab;
  let host: TestHost;
  let clock: HostClock;
  let redis: RedisServer;
  let servers: TestServer[];
  const env = () => ({
    REDIS_URL: redis.url,
    SSH_ALLOWED_HOSTS: lab.subnet,
    SESSION_SECRET: 'the same secret on all instances',
  });

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    requirePart(this, 'faketime');
    lab = await useLab();
    [host] = lab.hosts;
    clock = await giveClock(host);
  });
  beforeEach(async () => {
    redis = await startRedis();
    servers = await Promise.all([startServer(env()), startServer(env())]);
  });
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
    await clock.set(0);
  });
  after(async () => {
    await clock?.remove();
    await lab?.release();
  });

  async function connect(server: TestServer, request: { service: string; after?: string; tail?: number }) {
    const { token } = await server.loginTo(host);
    const socket = server.client({ auth: { token } });
    const seen: Seen[] = [];
    const ids: string[] = [];
    socket.on('log_batch', ({ entries }) => {
      for (const { id, line } of entries) seen.push({ key: id.slice(8), text: line });
      ids.push(...entries.map(({ id }) => id));
    });
    socket.on('log_gap', ({ reason }) => seen.push({ key: '', text: reason }));
    socket.connect();
    await until(() => socket.connected);
    const answer: unknown = await socket.emitWithAck('subscribe_logs', { batch: true, ...request });
    return { socket, seen, ids, answer };
  }

  const truth = async (unit: string): Promise<Seen[]> =>
    (await host.journal(unit)).map((record) => ({
      key: cursorKey(String(record.__CURSOR)) ?? '',
      text: messageOf(record),
    }));
  /** The journal's newest line of a unit was taken by the clock as it is set now. */
  const isSet = (unit: string, seconds: number) =>
    until(async () => {
      const [newest] = await host.journal(unit, ['--lines=1']);
      const ahead = Number(newest?.__REALTIME_TIMESTAMP) / 1e6 - Date.now() / 1000;
      return Math.abs(ahead - seconds) < 30;
    }, 10_000);

  it('[R14] [R15] [SIO-4] a host that loses its power and wakes up in the past: no line is silently missing', async function () {
    this.timeout(120_000);
    const unit = 'execution';
    const clients = await Promise.all(servers.map((server) => connect(server, { service: unit, tail: 1 })));
    const has = (text: string, timeoutMs = 10_000) =>
      until(() => clients.every(({ seen }) => seen.some((line) => line.text === text)), timeoutMs);
    // journald has no time to close its files.
    void host.produce(unit, { rate: 500, count: 5000, prefix: 'before ' }).catch(() => {});
    await has('before seq=300');
    await clock.set(-HOUR_S);
    await host.reboot({ powerCut: true });
    await host.log(unit, ['awake in the past 1', 'awake in the past 2']);
    await isSet(unit, -HOUR_S);
    await clock.set(0);
    await host.log(unit, ['right again']);
    await until(async () => {
      await host.log(unit, ['right again']);
      const [newest] = await host.journal(unit, ['--lines=1']);
      return Math.abs(Number(newest?.__REALTIME_TIMESTAMP) / 1e6 - Date.now() / 1000) < 30;
    }, 10_000);
    await host.log(unit, ['end']);
    await has('end', 60_000);
    const expected = await truth(unit);
    for (const { seen } of clients) {
      const first = expected.findIndex(({ key }) => key === seen[0]?.key);
      assert.deepEqual(seen, expected.slice(first));
    }
  });
});
