import assert from 'node:assert/strict';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';
import { openSocket, type TestSocket, upgradeStatus } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });
const type = (wanted: string) => (message: Record<string, unknown>) => message.type === wanted;

/** Everything is shown on one instance, and on two that share a Redis: the second client is then on the other one. */
for (const instances of [1, 2]) {
  describe(`Nexus channels on ${instances === 1 ? 'one instance' : 'two instances'}`, () => {
    let redis: RedisServer | undefined;
    let one: TestServer;
    let two: TestServer;

    before(async function () {
      if (instances === 2) requirePart(this, 'redis-server');
      redis = instances === 2 ? await startRedis() : undefined;
      const env = { JWT_SECRET, ...(redis ? { REDIS_URL: redis.url } : {}) };
      one = await startServer(env);
      two = instances === 2 ? await startServer(env) : one;
      if (redis) {
        for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
      }
    });
    after(async () => {
      await Promise.all([one?.stop(), two?.stop()]);
      await redis?.stop();
    });

    async function connect(
      server: TestServer,
      claims: object = {},
      expiresInS?: number,
    ): Promise<TestSocket> {
      const token = await jwts.issue({ userId: 'usr_1', role: 'agent', ...claims }, expiresInS);
      return openSocket(`${server.url}/ws?token=${token}`);
    }

    /** Subscribes and waits for the answer. */
    async function subscribe(socket: TestSocket, channel: string, filters?: object): Promise<void> {
      socket.send({ action: 'subscribe', channel, filters });
      await socket.next(type('subscribed'));
    }

    it('[WS-1] greets, subscribes, unsubscribes and answers pings as in the document', async () => {
      const socket = await connect(one);
      assert.deepEqual(await socket.next(() => true), {
        type: 'connected',
        message: 'Welcome to Nexus WebSocket',
        userId: 'usr_1',
      });
      socket.send({ action: 'subscribe', channel: 'telemetry', filters: { agent_id: 'a' } });
      assert.deepEqual(await socket.next(() => true), {
        type: 'subscribed',
        channel: 'telemetry',
        filters: { agent_id: 'a' },
      });
      socket.send({ action: 'subscribe', channel: 'other' });
      assert.deepEqual(await socket.next(() => true), { type: 'subscribed', channel: 'other' });
      socket.send({ action: 'unsubscribe', channel: 'telemetry' });
      assert.deepEqual(await socket.next(() => true), { type: 'unsubscribed', channel: 'telemetry' });
      socket.send({ action: 'ping' });
      const pong = await socket.next(type('pong'));
      assert.ok(Math.abs(Date.now() - Number(pong.timestamp)) < 60_000);
      await socket.close();
    });

    it('[WS-1] [WS-6] a message reaches every subscriber once, the publisher too if it is one', async () => {
      const [a, b, other] = await Promise.all([
        connect(one),
        connect(two, { userId: 'usr_2' }),
        connect(two),
      ]);
      await Promise.all([subscribe(a, 'commands'), subscribe(b, 'commands'), subscribe(other, 'elsewhere')]);
      a.send({ action: 'publish', channel: 'commands', payload: { command: 'run', text: 'ü "\u2028' } });
      for (const socket of [a, b]) {
        const { timestamp, id, ...message } = await socket.next(type('message'));
        assert.deepEqual(message, {
          type: 'message',
          channel: 'commands',
          from: 'usr_1',
          data: { command: 'run', text: 'ü "\u2028' },
        });
        assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.equal(typeof id, 'string');
      }
      b.send({ action: 'publish', channel: 'commands', payload: 'marker' });
      await Promise.all([a, b].map((socket) => socket.next(({ data }) => data === 'marker')));
      for (const socket of [a, b]) assert.equal(socket.messages.filter(type('message')).length, 2);
      assert.deepEqual(other.messages.filter(type('message')), []);
      await Promise.all([a, b, other].map((socket) => socket.close()));
    });

    it('[WS-6] a publisher that is not subscribed gets nothing back, and order is kept', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      await subscribe(reader, 'numbers');
      for (let n = 0; n < 150; n += 1) publisher.send({ action: 'publish', channel: 'numbers', payload: n });
      await reader.next(({ data }) => data === 149);
      assert.deepEqual(
        reader.messages.filter(type('message')).map(({ data }) => data),
        [...Array(150).keys()],
      );
      assert.deepEqual(publisher.messages.filter(type('message')), []);
      await Promise.all([publisher.close(), reader.close()]);
    });

    it('[WS-1] filters really filter: field equality, dotted paths, any of several', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      await subscribe(reader, 'filtered', { 'agent.id': 1 });
      await subscribe(reader, 'filtered', { kind: 'alarm', level: 3 });
      for (const payload of [
        { agent: { id: 1 }, n: 1 },
        { agent: { id: 2 }, n: 2 },
        { kind: 'alarm', level: 3, n: 3 },
        { kind: 'alarm', level: 4, n: 4 },
        'no object',
        { agent: { id: 1 }, kind: 'alarm', level: 3, n: 5 },
        { agent: { id: 1 }, end: true },
      ]) {
        publisher.send({ action: 'publish', channel: 'filtered', payload });
      }
      await reader.next((message) => (message.data as { end?: boolean } | undefined)?.end === true);
      const seen = reader.messages.filter(type('message')).map(({ data }) => (data as { n?: number }).n);
      assert.deepEqual(seen, [1, 3, 5, undefined]);
      await Promise.all([publisher.close(), reader.close()]);
    });

    it('[WS-1] a filter by the name of the prototype filters as any other, and a payload may be missing', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      reader.send('{"action":"subscribe","channel":"proto","filters":{"__proto__":1}}');
      const subscribed = await reader.next(type('subscribed'));
      assert.equal(JSON.stringify(subscribed.filters), '{"__proto__":1}');
      for (const payload of ['{"n":1}', '{"__proto__":2}', '{"__proto__":1,"n":2}'])
        publisher.send(`{"action":"publish","channel":"proto","payload":${payload}}`);
      assert.equal(((await reader.next(type('message'))).data as { n: number }).n, 2);
      await subscribe(reader, 'bare');
      publisher.send({ action: 'publish', channel: 'bare' });
      assert.equal((await reader.next(type('message'))).data, null);
      await Promise.all([publisher.close(), reader.close()]);
    });

    it('[WS-1] the filters of a connection are bounded, and free again after unsubscribing', async () => {
      const socket = await connect(one);
      const filters = (n: number) => ({ v: [n, 'x'.repeat(30_000)] });
      const code = async (channel: string, n: number) => {
        socket.send({ action: 'subscribe', channel, filters: filters(n) });
        return (await socket.next(({ type: is }) => is === 'subscribed' || is === 'error')).code;
      };
      assert.deepEqual(
        [await code('big.1', 1), await code('big.2', 2), await code('big.3', 3), await code('big.2', 2)],
        [undefined, undefined, 'too_many_streams', undefined],
      );
      socket.send({ action: 'unsubscribe', channel: 'big.1' });
      await socket.next(type('unsubscribed'));
      assert.equal(await code('big.3', 3), undefined);
      await socket.close();
    });

    it('[WS-1] after unsubscribing nothing comes any more', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      await subscribe(reader, 'a');
      await subscribe(reader, 'b');
      reader.send({ action: 'unsubscribe', channel: 'a' });
      await reader.next(type('unsubscribed'));
      publisher.send({ action: 'publish', channel: 'a', payload: 1 });
      publisher.send({ action: 'publish', channel: 'b', payload: 2 });
      const message = await reader.next(type('message'));
      assert.equal(message.data, 2);
      await Promise.all([publisher.close(), reader.close()]);
    });

    it('[WS-1] a channels claim is the limit, with wildcards', async () => {
      const [limited, free] = await Promise.all([
        connect(one, { channels: ['team.*', 'news'] }),
        connect(two),
      ]);
      for (const channel of ['team.a', 'news']) await subscribe(limited, channel);
      for (const action of ['subscribe', 'publish']) {
        for (const channel of ['team', 'new', 'newsletter', '*']) {
          limited.send({ action, channel, payload: 1 });
          assert.equal((await limited.next(type('error'))).code, 'forbidden');
        }
      }
      await subscribe(free, 'secret');
      free.send({ action: 'publish', channel: 'secret', payload: 1 });
      free.send({ action: 'publish', channel: 'team.a', payload: 2 });
      assert.equal((await limited.next(type('message'))).data, 2);
      await Promise.all([limited.close(), free.close()]);
    });

    it('[WS-1] an observer may not publish', async () => {
      const socket = await connect(one, { role: 'observer' });
      await subscribe(socket, 'a');
      socket.send({ action: 'publish', channel: 'a', payload: 1 });
      assert.equal((await socket.next(type('error'))).code, 'forbidden');
      await socket.close();
    });

    it('[WS-1] the socket is closed with 4401 within a second of its token expiring', async () => {
      const socket = await connect(two, {}, 2);
      const sinceIssued = startStopwatch();
      await until(() => socket.closed);
      assert.deepEqual(socket.closed, { code: 4401, reason: 'Token expired' });
      // Issued at a whole second, so up to one second less than two remained.
      assert.ok(sinceIssued() < 3000);
    });

    it('[WS-5] malformed and wrong messages are answered, and the connection stays', async () => {
      const socket = await connect(one);
      const wrong: [string, string][] = [
        ['{', 'Invalid JSON format'],
        ['', 'Invalid JSON format'],
        ['[1,', 'Invalid JSON format'],
        [`${'['.repeat(100_000)}`, 'Invalid JSON format: nested too deeply'],
        ['null', 'Unknown action: undefined'],
        ['5', 'Unknown action: undefined'],
        ['{"action":"fly"}', 'Unknown action: fly'],
        ['{"action":{"toString":1}}', 'Unknown action: {"toString":1}'],
        ['{"action":"__proto__"}', 'Unknown action: __proto__'],
        [`{"action":"${'x'.repeat(1000)}"}`, `Unknown action: ${'x'.repeat(64)}`],
      ];
      for (const [text, message] of wrong) {
        socket.send(text);
        assert.equal((await socket.next(type('error'))).message, message);
      }
      const refused: [object, string][] = [
        [{ action: 'subscribe' }, 'invalid_request'],
        [{ action: 'subscribe', channel: 7 }, 'invalid_request'],
        [{ action: 'subscribe', channel: '' }, 'invalid_room'],
        [{ action: 'subscribe', channel: 'a\u0000b' }, 'invalid_room'],
        [{ action: 'subscribe', channel: 'x'.repeat(201) }, 'invalid_room'],
        [{ action: 'subscribe', channel: 'a', filters: [1] }, 'invalid_request'],
        [{ action: 'publish', channel: 'system.x', payload: 1 }, 'forbidden'],
      ];
      for (const [request, code] of refused) {
        socket.send(request);
        assert.equal((await socket.next(type('error'))).code, code);
      }
      socket.send('{"action":"subscribe","channel":"p","filters":{"__proto__":{"polluted":1}}}');
      await socket.next(type('subscribed'));
      assert.equal(({} as { polluted?: number }).polluted, undefined);
      await socket.close();
    });

    it('[WS-1] binary messages are read as text', async () => {
      const socket = await connect(one);
      socket.ws.send(Buffer.from('{"action":"ping"}'));
      await socket.next(type('pong'));
      await socket.close();
    });
  });
}

describe('getting in to Nexus', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ JWT_SECRET, FRONTEND_URL: 'https://app.example.org' });
    token = await jwts.issue({ userId: 'u', role: 'agent' }, 60);
  });
  after(() => server.stop());

  it('[WS-1] a missing token is 401, a bad one 403, before the upgrade', async () => {
    const other = createJwts({ secret: 'another' });
    const old = createJwts({ secret: JWT_SECRET, now: () => Date.now() - 120_000 });
    assert.equal(await upgradeStatus(`${server.url}/ws`), 401);
    assert.equal(await upgradeStatus(`${server.url}/ws?token=`), 401);
    for (const bad of [
      'x',
      'a.b.c',
      await other.issue({ userId: 'u' }),
      await old.issue({ userId: 'u' }, 60),
    ]) {
      assert.equal(await upgradeStatus(`${server.url}/ws?token=${bad}`), 403);
    }
    assert.equal(await upgradeStatus(`${server.url}/ws?token=${token}`), 101);
  });

  it('[WS-1] the token may come in a header or as a sub-protocol', async () => {
    const byHeader = await openSocket(`${server.url}/ws`, { headers: { authorization: `Bearer ${token}` } });
    await byHeader.next(type('connected'));
    const bySubProtocol = await openSocket(`${server.url}/ws`, { protocols: [`bearer.${token}`] });
    await bySubProtocol.next(type('connected'));
    const both = await openSocket(`${server.url}/ws`, { protocols: ['nexus', `bearer.${token}`] });
    assert.equal(both.ws.protocol, 'nexus');
    assert.equal(await upgradeStatus(`${server.url}/ws`, { protocols: ['bearer.nonsense'] }), 403);
    await Promise.all([byHeader, bySubProtocol, both].map((socket) => socket.close()));
  });

  it('[WS-5] the Origin is checked before the upgrade', async () => {
    const status = (origin: string) =>
      upgradeStatus(`${server.url}/ws?token=${token}`, { headers: { origin } });
    const host = new URL(server.url).host;
    for (const good of ['https://app.example.org', `http://${host}`])
      assert.equal(await status(good), 101, good);
    for (const bad of [
      'https://evil.example',
      'null',
      'https://app.example.org.evil.example',
      'http://app.example.org',
    ]) {
      assert.equal(await status(bad), 403, bad);
    }
  });
});
