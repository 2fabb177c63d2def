import assert from 'node:assert/strict';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const ISSUER_KEY = 'the issuer key of these tests, long enough';
const HTTP_RATE = 40;

/** What the routes that log in or mint tokens allow one client, over real instances and a real Redis. */
describe('HTTP_RATE over three instances', function () {
  this.timeout(20_000);
  let redis: RedisServer;
  let servers: TestServer[] = [];

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
  });
  beforeEach(() => redis.cli('flushall'));
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  after(() => redis?.stop());

  async function start(count: number, env: Record<string, string> = {}): Promise<void> {
    const one = () =>
      startServer({
        REDIS_URL: redis.url,
        HMAC_SECRET: 'the room secret of these tests',
        ISSUER_KEY,
        HTTP_RATE: String(HTTP_RATE),
        ...env,
      });
    servers = await Promise.all(Array.from({ length: count }, one));
    await until(async () => (await Promise.all(servers.map(isReady))).every(Boolean));
  }
  const isReady = async ({ url }: TestServer) => (await fetch(`${url}/readyz`)).ok;

  /** Asks the nth instance, in turn, for a token. */
  async function mint(n: number, forwardedFor?: string): Promise<Response> {
    const response = await fetch(`${servers[n % servers.length]?.url}/auth/token`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ISSUER_KEY}`,
        'content-type': 'application/json',
        ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }),
      },
      body: JSON.stringify({ clientId: 'x', room: 'y' }),
    });
    await response.arrayBuffer();
    return response;
  }

  /** Sends so many requests at once. @returns how often each status was the answer */
  async function storm(count: number, forwardedFor: (n: number) => string | undefined = () => undefined) {
    const answers = await Promise.all(Array.from({ length: count }, (_, n) => mint(n, forwardedFor(n))));
    const tally: Record<number, number> = {};
    for (const { status } of answers) tally[status] = (tally[status] ?? 0) + 1;
    return tally;
  }

  it('[HTTP-2] lets exactly so many pass, however they are spread, and the next when the minute is over', async () => {
    await start(3);
    assert.deepEqual(await storm(2 * HTTP_RATE), { 200: HTTP_RATE, 429: HTTP_RATE });
    const refused = await mint(1);
    assert.equal(refused.status, 429);
    const retryAfter = Number(refused.headers.get('retry-after'));
    assert.ok(retryAfter > 30 && retryAfter <= 60, String(retryAfter));
    const keys = (await redis.cli('keys', '*rate*login*')).split('\n');
    assert.equal(keys.length, 1, keys.join(' '));
    // The minute's end, without waiting for it.
    await redis.cli('pexpire', keys[0] ?? '', '1');
    await until(async () => (await redis.cli('exists', keys[0] ?? '')) === '0');
    assert.deepEqual(await storm(2 * HTTP_RATE), { 200: HTTP_RATE, 429: HTTP_RATE });
  });

  it('[HTTP-2] an X-Forwarded-For that nobody trusts makes no client of its own', async () => {
    await start(3);
    const tally = await storm(2 * HTTP_RATE, (n) => `203.0.113.${n}`);
    assert.deepEqual(tally, { 200: HTTP_RATE, 429: HTTP_RATE });
  });

  for (const [TRUST_PROXY, hops] of [
    ['1', 'one proxy'],
    ['127.0.0.0/8, 10.0.0.0/8', 'the proxies of a range'],
  ] as const) {
    it(`[HTTP-2] behind ${hops} what a client puts before its own address does not count`, async () => {
      await start(3, { TRUST_PROXY });
      const tally = await storm(2 * HTTP_RATE, (n) => `10.9.9.${n}, 198.51.100.${n}, 203.0.113.7`);
      assert.deepEqual(tally, { 200: HTTP_RATE, 429: HTTP_RATE });
      // Another client behind the same proxy has a minute of its own.
      assert.equal((await mint(0, '203.0.113.8')).status, 200);
    });
  }

  it('[HTTP-2] a proxy that is not in the range is a client like any other', async () => {
    await start(3, { TRUST_PROXY: '10.0.0.0/8' });
    const tally = await storm(2 * HTTP_RATE, (n) => `203.0.113.${n}`);
    assert.deepEqual(tally, { 200: HTTP_RATE, 429: HTTP_RATE });
  });

  it('[HTTP-2] alone, without Redis, the limit is the same', async () => {
    await start(1, { REDIS_URL: '', EMBEDDED: '1' });
    assert.deepEqual(await storm(2 * HTTP_RATE), { 200: HTTP_RATE, 429: HTTP_RATE });
  });

  for (const [what, away, back] of [
    ['is gone', () => redis.kill(), () => redis.restart()],
    ['hangs', async () => redis.freeze(), async () => redis.thaw()],
  ] as const) {
    it(`[HTTP-2] while Redis ${what} each instance counts for itself: nobody is locked out, no door stands open`, async () => {
      await start(2);
      await away();
      try {
        const elapsed = startStopwatch();
        assert.deepEqual(await storm(4 * HTTP_RATE), { 200: 2 * HTTP_RATE, 429: 2 * HTTP_RATE });
        // A command has 1 s before it is given up.
        assert.ok(elapsed() < 4000, `answered after ${elapsed()} ms`);
      } finally {
        await back();
      }
      await until(async () => (await Promise.all(servers.map(isReady))).every(Boolean), 10_000);
      // A Redis that hung carries out now what was counted elsewhere meanwhile.
      await redis.cli('flushall');
      assert.deepEqual(await storm(2 * HTTP_RATE), { 200: HTTP_RATE, 429: HTTP_RATE });
    });
  }
});
