import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import {
  createNexusClient,
  type NexusClient,
  type NexusFilters,
  type NexusMessage,
  type NexusOptions,
} from '../../client/index.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { startCutProxy } from '../support/cut-proxy.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const JWT_SECRET = 'the secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });

describe('the Nexus client', () => {
  let server: TestServer;
  let token: string;
  let clients: NexusClient[] = [];
  /** What every socket of these tests was opened with. */
  let opened: { url: string; protocols: string[]; socket: WebSocket }[] = [];

  class WatchedSocket extends WebSocket {
    constructor(url: string, protocols: string[] = []) {
      super(url, protocols);
      opened.push({ url, protocols, socket: this });
    }
  }

  before(async () => {
    server = await startServer({ JWT_SECRET });
    token = await jwts.issue({ userId: 'usr_1', role: 'agent' });
  });
  after(() => server?.stop());
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    clients = [];
    opened = [];
  });

  function start(options: Partial<NexusOptions> = {}): NexusClient {
    const client = createNexusClient({
      url: `${server.url}/ws`,
      ...(options.getToken ? {} : { token }),
      WebSocket: WatchedSocket,
      backoff: { baseMs: 20, maxMs: 50 },
      ...options,
    });
    clients.push(client);
    return client;
  }

  const isOpen = (client: NexusClient) => until(() => client.getState().status === 'open');

  /** Subscribes and keeps what comes. A ping's answer says that the server has taken it. */
  async function collect(client: NexusClient, channel: string, filters?: NexusFilters) {
    const seen: NexusMessage[] = [];
    const stop = client.subscribe(channel, filters ? { filters } : {}, (message) => seen.push(message));
    assert.notEqual(await client.ping(), null);
    return { data: () => seen.map(({ data }) => data), seen, stop };
  }

  it('[WS-1] gives each listener what passes its own filters, and has the token in no URL', async () => {
    const client = start();
    const publisher = start();
    await Promise.all([isOpen(client), isOpen(publisher)]);
    assert.equal(client.getState().userId, 'usr_1');
    const first = await collect(client, 'mixed', { 'agent.id': 1 });
    const second = await collect(client, 'mixed', { agent: { id: 2, tags: ['x'] } });
    const ofAll = await collect(publisher, 'mixed');
    const payloads = [
      { agent: { id: 1 } },
      { agent: { id: 2, tags: ['x'] } },
      { agent: { id: 2, tags: ['x', 'y'] } },
      { agent: { id: 3 } },
      'end',
    ];
    for (const payload of payloads) assert.equal(publisher.publish('mixed', payload), 'sent');
    await until(() => ofAll.data().includes('end'));
    assert.notEqual(await client.ping(), null);
    assert.deepEqual(ofAll.data(), payloads);
    assert.deepEqual(first.data(), [payloads[0]]);
    assert.deepEqual(second.data(), [payloads[1]]);
    const [message] = ofAll.seen;
    assert.equal(message?.type === 'message' ? message.from : '', 'usr_1');
    assert.ok(Number(client.getState().latencyMs) >= 0);
    for (const { url, protocols } of opened) {
      assert.ok(!url.includes(token));
      assert.deepEqual(protocols, ['nexus', `bearer.${token}`]);
    }
  });

  it('[WS-1] hears nothing after unsubscribing, and the other listeners of the channel still do', async () => {
    const client = start();
    await isOpen(client);
    const ended = await collect(client, 'two', { kind: 'a' });
    const stays = await collect(client, 'two', { kind: 'b' });
    ended.stop();
    ended.stop();
    client.publish('two', { kind: 'a' });
    client.publish('two', { kind: 'b' });
    await until(() => stays.data().length === 1);
    assert.deepEqual(ended.data(), []);
    stays.stop();
    await client.ping();
    client.publish('two', { kind: 'b' });
    await client.ping();
    assert.equal(stays.data().length, 1);
  });

  it('[WS-1] more filters on a channel than the server takes still all filter', async () => {
    const client = start();
    await isOpen(client);
    const all: { data(): unknown[] }[] = [];
    for (let n = 0; n < 20; n += 1) all.push(await collect(client, 'many', { n }));
    for (let n = 0; n < 20; n += 1) client.publish('many', { n });
    await until(() => all.every(({ data }) => data().length > 0));
    for (const [n, { data }] of all.entries()) assert.deepEqual(data(), [{ n }]);
    assert.equal(client.getState().error, null);
  });

  it('[WS-1] comes back after a cut and subscribes again with its filters, on the server too', async () => {
    const proxy = await startCutProxy(Number(new URL(server.url).port));
    const client = start({ url: `http://127.0.0.1:${proxy.port}/ws` });
    const publisher = start();
    await Promise.all([isOpen(client), isOpen(publisher)]);
    const filtered = await collect(client, 'cut', { level: 3 });
    publisher.publish('cut', { level: 3, n: 1 });
    await until(() => filtered.data().length === 1);
    proxy.cut();
    // More often than the five attempts after which the original gave up.
    await until(() => client.getState().attempt > 6);
    assert.equal(client.getState().status, 'reconnecting');
    assert.equal(client.getState().error?.code, 'network');
    proxy.mend();
    await isOpen(client);
    const raw: string[] = [];
    opened.at(-1)?.socket.on('message', (data) => raw.push(String(data)));
    assert.notEqual(await client.ping(), null);
    publisher.publish('cut', { level: 4, n: 2 });
    publisher.publish('cut', { level: 3, n: 3 });
    await until(() => filtered.data().length === 2);
    assert.deepEqual(filtered.data().at(-1), { level: 3, n: 3 });
    assert.ok(!raw.some((text) => text.includes('"level":4')), 'the server filters');
    await Promise.all([client.close(), publisher.close()]);
    await proxy.stop();
  });

  it('[WS-1] keeps messages in order while offline, up to its bound, and says which', async () => {
    const proxy = await startCutProxy(Number(new URL(server.url).port));
    proxy.cut();
    const reader = start();
    await isOpen(reader);
    const seen = await collect(reader, 'queue');
    const client = start({ url: `http://127.0.0.1:${proxy.port}/ws`, queueMax: 50 });
    const own: unknown[] = [];
    client.subscribe('queue', {}, ({ data }) => own.push(data));
    for (let n = 0; n < 50; n += 1) assert.equal(client.publish('queue', n), 'queued');
    assert.equal(client.publish('queue', 'too many'), 'refused');
    assert.equal(await client.ping(), null);
    proxy.mend();
    await isOpen(client);
    assert.equal(client.publish('queue', 'behind them'), 'queued');
    await until(() => seen.data().includes('behind them'));
    const expected = [...Array(50).keys(), 'behind them'];
    assert.deepEqual(seen.data(), expected);
    await until(() => own.length === expected.length);
    assert.deepEqual(own, expected, 'subscribed before the queue goes out');
    await Promise.all([client.close(), reader.close()]);
    await proxy.stop();
  });

  it('[WS-1] is denied when its token expires, until it gets another one', async () => {
    const client = start({ token: await jwts.issue({ userId: 'brief' }, 2) });
    await isOpen(client);
    await until(() => client.getState().status === 'denied');
    assert.deepEqual(client.getState().error, {
      code: 'token_expired',
      message: 'Token expired',
      closeCode: 4401,
    });
    assert.equal(client.publish('a', 1), 'refused');
    assert.equal(opened.length, 1);
    client.reconnect(token);
    await isOpen(client);
    assert.equal(client.getState().userId, 'usr_1');
  });

  for (const [what, bad, code] of [
    ['403', 'a.b.c', 'invalid_token'],
    ['401', '', 'not_authenticated'],
  ] as const) {
    it(`[WS-1] is denied after three refusals with ${what}, and asks for a token before each`, async () => {
      let asked = 0;
      const client = start({
        getToken: async () => {
          asked += 1;
          return bad;
        },
        ...(bad === '' ? { protocols: () => ['nexus'] } : {}),
      });
      await until(() => client.getState().status === 'denied');
      assert.equal(client.getState().error?.code, code);
      assert.equal(asked, 3);
      assert.equal(opened.length, 3);
    });
  }

  it('[WS-1] finds out a connection that has gone silent', async () => {
    const client = start({ pingIntervalMs: 500 });
    await isOpen(client);
    await until(() => client.getState().latencyMs !== null);
    assert.equal(opened.length, 1);
    const { data } = await collect(client, 'silence');
    const before = opened.length;
    opened.at(-1)?.socket.pause();
    await until(() => opened.length > before && client.getState().status === 'open');
    client.publish('silence', 'heard');
    await until(() => data().length === 1);
  });

  it('[WS-1] tells of errors, and stays open', async () => {
    const client = start({ token: await jwts.issue({ userId: 'few', channels: ['mine'] }) });
    await isOpen(client);
    let told = 0;
    const stop = client.onState(() => {
      told += 1;
    });
    client.publish('other', 1);
    await until(() => client.getState().error?.code === 'forbidden');
    assert.equal(client.getState().status, 'open');
    assert.equal(told, 1);
    stop();
  });

  it('[WS-1] close leaves nothing: no connection, no further attempt, no message', async () => {
    const client = start();
    await isOpen(client);
    const seen = await collect(client, 'closing');
    const pinging = client.ping();
    await client.close();
    await client.close();
    assert.equal(await pinging, null);
    assert.equal(client.getState().status, 'closed');
    assert.ok(opened.every(({ socket }) => socket.readyState === WebSocket.CLOSED));
    assert.equal(client.publish('closing', 1), 'refused');
    const early = start();
    await early.close();
    const other = start();
    await isOpen(other);
    other.publish('closing', 1);
    await other.ping();
    assert.deepEqual(seen.data(), []);
    // The early one was closed before it had a socket: only these two were ever opened.
    assert.equal(opened.length, 2);
  });
});
