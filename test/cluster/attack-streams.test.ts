import assert from 'node:assert/strict';
import { createProduction } from '../../scripts/chaos/production.ts';
import { LAB_TIMEOUT_MS, messageOf, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const SECRET = 'the same secret on all instances';
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A line as a client got it; `gap` and the reason where one was told. */
interface Seen {
  id: string;
  line: string;
}

describe('streams under attack, two instances', () => {
  let lab: TestLab;
  let host: TestHost;
  let redis: RedisServer;
  let one: TestServer;
  let two: TestServer;
  let token: string;
  /** Keeps what other tests printed out of the truth. */
  let since: string;
  const env = (secret = SECRET) => ({
    REDIS_URL: redis.url,
    SSH_ALLOWED_HOSTS: lab.subnet,
    SESSION_SECRET: secret,
  });

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    lab = await useLab();
    [host] = lab.hosts;
  });
  beforeEach(async () => {
    since = `--since=@${Date.now() / 1000}`;
    redis = await startRedis();
    [one, two] = await Promise.all([startServer(env()), startServer(env())]);
    ({ token } = await one.loginTo(host));
  });
  afterEach(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await redis.stop();
  });
  after(() => lab?.release());

  /** A connected client that writes down what it gets of every unit, by its name. */
  async function connect(server: TestServer, form: object = {}) {
    const socket = server.client({ auth: { token }, ...form });
    const units = new Map<string, Seen[]>();
    const of = (unit: string) => {
      const events = units.get(unit) ?? [];
      units.set(unit, events);
      return events;
    };
    socket.on('log_batch', ({ service, entries }) =>
      of(service).push(...entries.map(({ id, line }) => ({ id, line }))),
    );
    socket.on('log_data', ({ service, id, line }) => of(service).push({ id: id ?? '', line }));
    socket.on('log_gap', ({ service, reason }) => of(service).push({ id: '', line: `gap ${reason}` }));
    socket.connect();
    await until(() => socket.connected);
    return { socket, of };
  }

  const numbered = (events: Seen[]) =>
    events.filter(({ line }) => /seq=\d+|^gap/.test(line)).map(({ line }) => line);
  async function truth(unit: string, prefix: string) {
    return (await host.printed(unit, [since])).filter((line) => line.startsWith(prefix));
  }

  /**
   * Comes and goes at random moments, at one instance and the other in turn, until the last line.
   * @param options isOver: no more is written; entered: called when it has its first line
   */
  async function churn(
    unit: string,
    end: string,
    options: { isOver(): boolean; entered(): void },
  ): Promise<Seen[]> {
    const clients = [await connect(one), await connect(two)];
    const all: Seen[] = [];
    for (let round = 0, isLast = false; !isLast; round++) {
      isLast = options.isOver();
      const client = clients[round % 2] ?? assert.fail();
      // Nothing may come between an unsubscribe and the next subscribe.
      assert.deepEqual(client.of(unit), []);
      const after = all.at(-1)?.id;
      const request = {
        service: unit,
        batch: round % 3 > 0,
        ...(after === undefined ? { tail: 1 } : { after }),
      };
      const answer: unknown = await client.socket.emitWithAck('subscribe_logs', request);
      assert.deepEqual(answer, { ok: true, recovered: true });
      // The last line may have come before it was known that no more is written.
      const isThere = () => [...all, ...client.of(unit)].some(({ line }) => line === end);
      if (after === undefined) {
        await until(() => client.of(unit).length > 0);
        options.entered();
      } else if (isLast) await until(isThere, 20_000);
      else await wait(Math.random() ** 2 * 400);
      await client.socket.emitWithAck('unsubscribe_logs', { service: unit });
      all.push(...client.of(unit).splice(0));
    }
    return all;
  }

  it('[SIO-2] [SIO-4] [LOG-2] comings and goings at all moments on both instances: every line once and in order', async function () {
    this.timeout(60_000);
    const units = ['execution', 'consensus'];
    const produced = { rate: 400, count: 4000, prefix: 'churn ' };
    for (const unit of units) await host.log(unit, ['churn begins']);
    let entered = 0;
    let isOver = false;
    const options = { isOver: () => isOver, entered: () => void entered++ };
    const histories = Promise.all(
      [...units, ...units].map(async (unit) => ({
        unit,
        seen: numbered(await churn(unit, 'churn seq=4000', options)),
      })),
    );
    await until(() => entered === 4, 20_000);
    await Promise.all(units.map((unit) => host.produce(unit, produced)));
    isOver = true;
    for (const { unit, seen } of await histories) assert.deepEqual(seen, await truth(unit, 'churn seq='));
  });

  /** Viewers of both instances, from now on. */
  async function watchers(unit: string) {
    const clients = [await connect(one), await connect(two)];
    for (const { socket } of clients)
      await socket.emitWithAck('subscribe_logs', { service: unit, tail: 0, batch: true });
    return clients;
  }

  const has = (client: Awaited<ReturnType<typeof connect>>, text: string, timeoutMs = 20_000) =>
    until(() => client.of('execution').some(({ line }) => line.startsWith(text)), timeoutMs);

  it('[R15] [LOG-2] journald is killed while it takes lines: viewers have what it has', async function () {
    this.timeout(60_000);
    const clients = await watchers('execution');
    const lines = await createProduction({ host, unit: 'execution', rate: 300, prefix: 'killed ' });
    lines.start();
    try {
      for (let n = 0; n < 3; n++) {
        const before = clients.map((client) => client.of('execution').length);
        await until(
          () => clients.every((client, n) => client.of('execution').length > (before[n] ?? 0) + 200),
          20_000,
        );
        await host.exec(['systemctl', 'kill', '--signal=KILL', 'systemd-journald']);
      }
    } finally {
      await lines.stop();
    }
    await host.log('execution', ['killed seq=1000000']);
    for (const client of clients) await has(client, 'killed seq=1000000');
    const expected = await truth('execution', 'killed seq=');
    for (const client of clients) assert.deepEqual(numbered(client.of('execution')), expected);
  });

  it('[R15] [LOG-2] [SIO-4] the host loses its power and comes back: viewers have what its journal has', async function () {
    this.timeout(120_000);
    const clients = await watchers('execution');
    const gone = await connect(one);
    await gone.socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0, batch: true });
    await host.produce('execution', { rate: 2000, count: 1000, prefix: 'power ' });
    await has(gone, 'power seq=1000');
    const after = gone.of('execution').find(({ line }) => line === 'power seq=500')?.id;
    gone.socket.disconnect();
    await host.reboot({ powerCut: true });
    await host.produce('execution', { rate: 500, count: 500, start: 1001, prefix: 'power ' });
    for (const client of clients) await has(client, 'power seq=1500', 60_000);
    const expected = await truth('execution', 'power ');
    for (const client of clients) assert.deepEqual(numbered(client.of('execution')), expected);
    const back = await connect(two);
    const request = { service: 'execution', after, batch: true };
    assert.deepEqual(await back.socket.emitWithAck('subscribe_logs', request), { ok: true, recovered: true });
    await has(back, 'power seq=1500');
    assert.deepEqual(numbered(back.of('execution')), expected.slice(500));
  });

  it('[R15] [LOG-2] the host is rebooted and the unit stays down: what it said at its end is there', async function () {
    this.timeout(120_000);
    const clients = await watchers('execution');
    await host.log('execution', ['goes down soon']);
    for (const client of clients) await has(client, 'goes down soon');
    // What starts it at boot.
    const link = '/usr/local/lib/systemd/system/multi-user.target.wants/execution.service';
    await host.exec(['mv', link, '/root/wanted']);
    try {
      await host.reboot();
      const expected = (await host.journal('execution')).map(messageOf);
      assert.match(expected.at(-1) ?? '', /^Stopped execution/);
      for (const client of clients) {
        await until(() => client.of('execution').at(-1)?.line === expected.at(-1), 60_000);
        const lines = client.of('execution').map(({ line }) => line);
        assert.deepEqual(lines, expected.slice(-lines.length));
      }
    } finally {
      await host.exec(['mv', '/root/wanted', link]);
      await host.start('execution');
    }
  });

  it('[SIO-4] sessions and ids go on after a rotation of the secret', async function () {
    this.timeout(60_000);
    const client = await connect(one);
    await client.socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0 });
    await host.produce('execution', { rate: 1000, count: 100, prefix: 'rotated ' });
    await has(client, 'rotated seq=100');
    const after = client.of('execution').find(({ line }) => line === 'rotated seq=40')?.id;
    await Promise.all([one.stop(), two.stop()]);
    const three = await startServer(env(`a newer secret for all instances,${SECRET}`));
    try {
      const back = await connect(three);
      const request = { service: 'execution', after, batch: true };
      assert.deepEqual(await back.socket.emitWithAck('subscribe_logs', request), {
        ok: true,
        recovered: true,
      });
      await has(back, 'rotated seq=100');
      assert.deepEqual(numbered(back.of('execution')), (await truth('execution', 'rotated ')).slice(40));
    } finally {
      await three.stop();
    }
  });

  /** A client of the polling transport that subscribes and never asks for anything again, unless told. */
  async function subscribeAndVanish() {
    let sid = '';
    const ask = async (body?: string) => {
      const url = `${one.url}/socket.io/?EIO=4&transport=polling${sid && `&sid=${sid}`}`;
      return (await fetch(url, body === undefined ? {} : { method: 'POST', body })).text();
    };
    ({ sid } = JSON.parse((await ask()).slice(1)) as { sid: string });
    await ask(`40${JSON.stringify({ token })}`);
    await ask();
    await ask('42["subscribe_logs",{"service":"execution","tail":0}]');
    return { poll: () => ask() };
  }

  /** Open client connections, by what instance one says of itself. */
  async function clients(): Promise<number> {
    return ((await (await fetch(`${one.url}/health`)).json()) as { clients: number }).clients;
  }

  it('[SIO-8] 1 s after a logout nothing is left for clients that took nothing before it', async function () {
    this.timeout(60_000);
    const silent = await subscribeAndVanish();
    const slow = await connect(one);
    await slow.socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0, batch: true });
    const { transport } = slow.socket.io.engine as unknown as {
      transport: { ws: { pause(): void; resume(): void } };
    };
    const other = await one.loginTo(host);
    const witness = one.client({ auth: { token: other.token } });
    let seen = 0;
    witness.on('log_batch', ({ entries }) => {
      seen += entries.length;
    });
    witness.connect();
    await witness.emitWithAck('subscribe_logs', { service: 'execution', tail: 0, batch: true });
    transport.ws.pause();
    await host.produce('execution', { rate: 20_000, count: 20_000, prefix: 'left ', size: 500 });
    await until(() => seen >= 20_000, 30_000);
    assert.equal(await clients(), 3);
    const bearer = { authorization: `Bearer ${token}` };
    await fetch(`${one.url}/api/session`, { method: 'DELETE', headers: bearer });
    await until(async () => (await clients()) === 1, 1000);
    assert.doesNotMatch(await silent.poll(), /log_data/);
    transport.ws.resume();
  });

  it('[LOG-4] polling clients that never poll again cost little, and one that polls gets every line', async function () {
    this.timeout(120_000);
    const count = 20;
    const before = process.memoryUsage().rss;
    await Promise.all(Array.from({ length: count }, subscribeAndVanish));
    const good = await connect(two, { transports: ['polling'] });
    await good.socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0 });
    await host.produce('execution', { rate: 20_000, count: 40_000, prefix: 'poll ', size: 300 });
    await has(good, 'poll seq=40000', 60_000);
    // Without a bound each would hold some 20 MB.
    const grown = (process.memoryUsage().rss - before) / 1_048_576;
    assert.ok(grown < count * 4 + 96, `${Math.round(grown)} MiB`);
    assert.deepEqual(numbered(good.of('execution')), await truth('execution', 'poll '));
  });

  it('[SIO-4] [LOG-4] a journal vacuumed while a client that does not read catches up: the gap is told', async function () {
    this.timeout(120_000);
    const lines = { prefix: 'mid ', size: 400 };
    const client = await connect(one);
    await client.socket.emitWithAck('subscribe_logs', { service: 'execution', tail: 0, batch: true });
    await host.produce('execution', { ...lines, rate: 500, count: 10 });
    await has(client, 'mid seq=10');
    const after = client.of('execution').at(-1)?.id;
    client.socket.disconnect();
    await host.produce('execution', { ...lines, rate: 20_000, count: 60_000, start: 11 });

    const back = await connect(two);
    const { transport } = back.socket.io.engine as unknown as {
      transport: { ws: { pause(): void; resume(): void } };
    };
    back.socket.emit('subscribe_logs', { service: 'execution', after, batch: true });
    await has(back, 'mid ');
    transport.ws.pause();
    await wait(2500);
    await host.vacuum();
    await host.produce('execution', { ...lines, rate: 500, count: 10, start: 60_011 });
    transport.ws.resume();
    await has(back, 'mid seq=60020', 60_000);
    const seen = numbered(back.of('execution')).map((line) => Number(/seq=(\d+)/.exec(line)?.[1] ?? 0));
    for (const [at, number] of seen.entries()) {
      const above = seen[at - 1] ?? 10;
      const isNext = number === 0 || above === 0 || number === above + 1;
      assert.ok(isNext, `${number} behind ${above}`);
    }
    assert.ok(seen.filter((number) => number === 0).length === 1);
    assert.deepEqual(
      seen.slice(-10),
      Array.from({ length: 10 }, (_, n) => 60_011 + n),
    );
  });
});
