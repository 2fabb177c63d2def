import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { errorCode, type MbClient, openMb } from '../support/mb.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { type TestSocketOptions, upgradeStatus } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });

/** Everything is shown on one instance, and on two that share a Redis. */
for (const instances of [1, 2]) {
  describe(`the Message Broker on ${instances === 1 ? 'one instance' : 'two instances'}`, () => {
    let redis: RedisServer | undefined;
    let one: TestServer;
    let two: TestServer;
    const clients: MbClient[] = [];

    before(async function () {
      if (instances === 2) requirePart(this, 'redis-server');
      redis = instances === 2 ? await startRedis() : undefined;
      const env = { JWT_SECRET, MESSAGE_RATE: '1000', ...(redis ? { REDIS_URL: redis.url } : {}) };
      one = await startServer(env);
      two = instances === 2 ? await startServer(env) : one;
      if (redis) {
        for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
      }
    });
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()));
    });
    after(async () => {
      await Promise.all([one?.stop(), two?.stop()]);
      await redis?.stop();
    });

    async function connect(
      server: TestServer,
      claims: object = {},
      options: TestSocketOptions = {},
    ): Promise<MbClient> {
      const token = await jwts.issue({ userId: 'usr_1', role: 'agent', ...claims });
      const client = await openMb(`${server.url}/mb?token=${token}`, options);
      clients.push(client);
      return client;
    }

    it('[WS-4] answers requests to the server itself', async () => {
      const client = await connect(one);
      for (const [topic, payload] of [
        ['system.heartbeat', {}],
        ['system.topic.subscribe', { topic: 'a.b' }],
        ['system.topic.subscribe', { topic: 'a.b', action: 'publish' }],
        ['system.topic.unsubscribe', { topic: 'a.b' }],
        ['system.topic.unsubscribe', { topic: 'never.subscribed', action: 'request' }],
      ] as const) {
        const id = randomUUID();
        const { line, payload: answer } = await client.ask(topic, payload, { requestId: id });
        assert.deepEqual(answer, { status: 'success' });
        assert.match(line, new RegExp(`^response:${topic}:1\\.0\\.0:[0-9a-f-]{36}:${id}$`));
      }
    });

    it('[WS-4] [WS-6] what is published reaches subscribers once, the publisher too, also with overlaps', async () => {
      const [publisher, reader, other] = await Promise.all([connect(one), connect(two), connect(two)]);
      for (const topic of ['news.eu', 'news.+', 'news.#', '#']) await reader.subscribe(topic);
      await publisher.subscribe('news.eu');
      await other.subscribe('news.us');
      publisher.socket.send('publish:news.eu:1.0.0\n{"text":"ü \\"\\u2028", "n": [1,2]}');
      publisher.send({ topic: 'news.eu' }, 'end');
      for (const client of [publisher, reader]) {
        const { line, payload } = await client.next(({ header }) => header.action === 'publish');
        assert.equal(line, 'publish:news.eu:1.0.0');
        assert.deepEqual(payload, { text: 'ü "\u2028', n: [1, 2] });
        await client.next((frame) => frame.payload === 'end');
        assert.equal(client.frames.filter(({ header }) => header.action === 'publish').length, 2);
      }
      publisher.send({ topic: 'news.us' }, 'for the other');
      await other.next(({ payload }) => payload === 'for the other');
      assert.equal(other.frames.filter(({ header }) => header.action === 'publish').length, 1);
    });

    it('[WS-4] + stands for one level, # for the rest; system topics are not among them', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      await reader.subscribe('a.+.c');
      await reader.subscribe('x.#');
      for (const topic of [
        'a.b.c',
        'a.c',
        'a.b.b.c',
        'x',
        'x.y',
        'x.y.z',
        'xy',
        'b.b.c',
        'a.b.c.d',
        'x.end',
      ]) {
        publisher.send({ topic }, topic);
      }
      await reader.next(({ payload }) => payload === 'x.end');
      const seen = reader.frames
        .filter(({ header }) => header.action === 'publish')
        .map(({ payload }) => payload);
      assert.deepEqual(seen, ['a.b.c', 'x', 'x.y', 'x.y.z', 'x.end']);
      for (const topic of [
        'a.#.b',
        '#.a',
        'a+',
        'a.b#',
        'a..b',
        '.',
        '',
        'a\u0000',
        'x'.repeat(201),
        7,
        null,
      ]) {
        const answer = await reader.ask('system.topic.subscribe', { topic });
        assert.ok(
          ['invalid_room', 'invalid_request'].includes(String(errorCode(answer))),
          JSON.stringify(topic),
        );
      }
    });

    it('[WS-4] after unsubscribing nothing comes any more, of what was unsubscribed', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      reader.serve(() => 'served');
      await reader.subscribe('both.a');
      await reader.ask('system.topic.unsubscribe', { topic: 'both.a', action: 'publish' });
      await reader.subscribe('both.end', 'publish');
      publisher.send({ topic: 'both.a' }, 1);
      publisher.send({ topic: 'both.end' }, 2);
      assert.equal((await reader.next(({ header }) => header.action === 'publish')).payload, 2);
      assert.equal((await publisher.ask('both.a')).payload, 'served');
      await reader.ask('system.topic.unsubscribe', { topic: 'both.a' });
      assert.equal(errorCode(await publisher.ask('both.a')), 'no_subscriber');
    });

    it('[WS-4] a request goes to exactly one subscriber, and its answer back', async () => {
      const requester = await connect(one);
      const responders = await Promise.all([connect(one), connect(one), connect(two), connect(two)]);
      for (const [n, responder] of responders.entries()) {
        responder.serve((payload) => ({ n, payload }));
        await responder.subscribe(n % 2 ? 'work.+' : 'work.do', 'request');
      }
      const id = randomUUID();
      const parent = randomUUID();
      const answer = await requester.ask(
        'work.do',
        { task: 1 },
        { requestId: id, parentRequestId: parent, timeout: 4000 },
      );
      const { n } = answer.payload as { n: number };
      const given = responders[n]?.frames.find(({ header }) => header.action === 'request');
      assert.equal(given?.line, `request:work.do:1.0.0:${id}:${parent}:4000`);
      assert.match(answer.line, new RegExp(`^response:work\\.do:1\\.0\\.0:[0-9a-f-]{36}:${id}$`));
      assert.deepEqual(answer.payload, { n, payload: { task: 1 } });

      const requests = 60;
      await Promise.all(Array.from({ length: requests }, (_, task) => requester.ask('work.do', { task })));
      const given2 = responders.map(
        ({ frames }) => frames.filter(({ header }) => header.action === 'request').length,
      );
      assert.equal(
        given2.reduce((sum, count) => sum + count, 0),
        requests + 1,
      );
      // By chance over instances and in turns on each: with 60 requests none goes without (chance below 1e-9).
      for (const count of given2) assert.ok(count > 0, given2.join());
    });

    it('[WS-4] a subscriber that has just said so is found from everywhere', async () => {
      const requester = await connect(one);
      for (let n = 0; n < 20; n += 1) {
        const responder = await connect(two);
        responder.serve(() => n);
        await responder.subscribe(`fresh.${n}`, 'request');
        assert.equal((await requester.ask(`fresh.${n}`)).payload, n);
      }
    });

    it('[WS-4] its own requests a client gets only where nobody else takes them', async () => {
      const [alone, other] = await Promise.all([connect(one), connect(two)]);
      alone.serve(() => 'myself');
      other.serve(() => 'other');
      await alone.subscribe('self');
      assert.equal((await alone.ask('self')).payload, 'myself');
      await other.subscribe('self');
      for (let n = 0; n < 10; n += 1) assert.equal((await alone.ask('self')).payload, 'other');
    });

    it('[WS-4] without an answer in time the requester is told', async () => {
      const [requester, silent] = await Promise.all([connect(one), connect(two)]);
      await silent.subscribe('silent', 'request');
      const began = performance.now();
      const answer = await requester.ask('silent', {}, { timeout: 200 });
      const took = performance.now() - began;
      assert.ok(took >= 190 && took < 1500, String(took));
      const { code, message, timestamp, details } = answer.payload as Record<string, unknown>;
      assert.equal(code, 'request_timeout');
      assert.equal(message, 'The request was not answered in time.');
      assert.ok(Math.abs(Date.parse(String(timestamp)) - Date.now()) < 60_000);
      assert.equal(typeof details, 'object');
      assert.equal(errorCode(await requester.ask('nobody.here')), 'no_subscriber');
    });

    it('[WS-4] late, repeated and foreign responses are dropped', async () => {
      const [requester, responder, foreign] = await Promise.all([connect(one), connect(two), connect(two)]);
      await responder.subscribe('answers', 'request');
      const late = await requester.ask('answers', 'late', { timeout: 150 });
      assert.equal(errorCode(late), 'request_timeout');
      const lateId = late.header.parentRequestId;
      responder.send({ action: 'response', topic: 'answers', parentRequestId: lateId }, 'too late');

      const id = requester.send({ action: 'request', topic: 'answers' }, 'now');
      await responder.next(({ payload }) => payload === 'now');
      foreign.send({ action: 'response', topic: 'answers', parentRequestId: id }, 'forged');
      requester.send({ action: 'response', topic: 'answers', parentRequestId: id }, 'my own');
      await Promise.all([foreign.ask('system.heartbeat'), requester.ask('system.heartbeat')]);
      for (const text of ['first', 'second']) {
        responder.send({ action: 'response', topic: 'answers', parentRequestId: id }, text);
      }
      await requester.next(({ payload }) => payload === 'first');
      await responder.ask('system.heartbeat');
      await requester.ask('system.heartbeat');
      const answers = requester.frames.filter(
        ({ header }) => header.parentRequestId === id || header.parentRequestId === lateId,
      );
      assert.deepEqual(answers.map(({ payload }) => payload).slice(1), ['first']);
    });

    it('[WS-4] who waits is told when the subscriber leaves without an answer', async () => {
      const [requester, responder] = await Promise.all([connect(one), connect(two)]);
      await responder.subscribe('leaving', 'request');
      const began = performance.now();
      const answer = requester.ask('leaving');
      await responder.next(({ header }) => header.action === 'request');
      await responder.close();
      assert.equal(errorCode(await answer), 'no_subscriber');
      assert.ok(performance.now() - began < 4000);
    });

    it('[WS-4] binary frames are answered in binary frames, pushes too', async () => {
      const [client, responder] = await Promise.all([connect(one), connect(two)]);
      responder.serve(() => 'ü');
      await responder.subscribe('bin', 'request');
      const subscribe = client.send(
        { action: 'request', topic: 'system.topic.subscribe' },
        { topic: 'bin' },
        { binary: true },
      );
      assert.equal((await client.next(({ header }) => header.parentRequestId === subscribe)).binary, true);
      client.send({ topic: 'bin' }, { text: 'ü' }, { binary: true });
      const push = await client.next(({ header }) => header.action === 'publish');
      assert.deepEqual([push.binary, push.payload], [true, { text: 'ü' }]);
      const request = client.send({ action: 'request', topic: 'bin' }, {}, { binary: true });
      const answer = await client.next(({ header }) => header.parentRequestId === request);
      assert.deepEqual([answer.binary, answer.payload], [true, 'ü']);
      client.socket.ws.send(Buffer.concat([Buffer.from('publish:bin:1.0.0\n"'), Buffer.from([0xff, 0x22])]));
      const error = await client.next(({ header }) => header.topic === 'system.error');
      assert.deepEqual([error.binary, errorCode(error)], [true, 'invalid_request']);
    });

    it('[WS-4] [WS-5] what is wrong is answered, and the connection stays', async () => {
      const client = await connect(one);
      const id = randomUUID();
      const unnamed: [string, string][] = [
        ['', 'invalid_request'],
        ['\n', 'invalid_request'],
        ['{}', 'invalid_request'],
        ['publish', 'invalid_request'],
        ['publish:a\n{}', 'invalid_request'],
        ['publish::1.0.0\n{}', 'invalid_request'],
        ['publish:a:1.0\n{}', 'invalid_request'],
        ['publish:a:1.0.0:nonsense\n{}', 'invalid_request'],
        ['PUBLISH:a:1.0.0\n{}', 'invalid_request'],
        ['__proto__:a:1.0.0\n{}', 'invalid_request'],
        ['request:a:1.0.0\n{}', 'invalid_request'],
        ['request:a:1.0.0:\n{}', 'invalid_request'],
        ['publish:a:1.0.0', 'invalid_json'],
        ['publish:a:1.0.0\n', 'invalid_json'],
        ['publish:a:1.0.0\n{', 'invalid_json'],
        [`publish:a:1.0.0\n${'['.repeat(100_000)}`, 'invalid_json'],
        ['publish:a.+:1.0.0\n{}', 'invalid_room'],
        ['publish:a..b:1.0.0\n{}', 'invalid_room'],
        ['publish:system.error:1.0.0\n{}', 'forbidden'],
        ['publish:system:1.0.0\n{}', 'forbidden'],
        [`publish:${'x'.repeat(5000)}:1.0.0\n{}`, 'invalid_request'],
        [`${':'.repeat(100_000)}\n{}`, 'invalid_request'],
      ];
      for (const [text, code] of unnamed) {
        client.socket.ws.send(text);
        const { line, payload } = await client.next(() => true);
        assert.equal(line, 'publish:system.error:1.0.0', text.slice(0, 60));
        assert.equal((payload as { code: string }).code, code, text.slice(0, 60));
      }
      const named: [string, string][] = [
        [`fly:a:1.0.0:${id}\n{}`, 'invalid_request'],
        [`request:a:one:${id}\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}:nonsense\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}::-1\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}::0\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}::99999999999999999999\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}::5000:more\n{}`, 'invalid_request'],
        [`request:a:1.0.0:${id}\nnope`, 'invalid_json'],
        [`request:a.#:1.0.0:${id}\n{}`, 'invalid_room'],
        [`response:a:1.0.0:${id}\n{}`, 'invalid_request'],
        [`publish:system.x:1.0.0:${id}\n{}`, 'forbidden'],
        [`request:system.reboot:1.0.0:${id}\n{}`, 'not_found'],
        [`request:system.topic.subscribe:1.0.0:${id}\n{}`, 'invalid_request'],
        [`request:system.topic.subscribe:1.0.0:${id}\n{"topic":"a","action":"all"}`, 'invalid_request'],
        [`request:system.topic.subscribe:1.0.0:${id}\n[]`, 'invalid_request'],
        [`request:nobody:1.0.0:${id.toUpperCase()}\n{}`, 'no_subscriber'],
      ];
      for (const [text, code] of named) {
        client.socket.ws.send(text);
        const { header, payload } = await client.next(() => true);
        assert.equal((payload as { code: string }).code, code, text);
        assert.deepEqual([header.action, header.parentRequestId], ['response', id], text);
      }
      client.socket.ws.send('publish:p:1.0.0\n{"__proto__":{"polluted":1}}');
      await client.ask('system.heartbeat');
      assert.equal(({} as { polluted?: number }).polluted, undefined);
    });

    it('[WS-4] open requests are bounded, and ids are used once', async () => {
      const [requester, silent] = await Promise.all([connect(one), connect(two)]);
      await silent.subscribe('full', 'request');
      const id = randomUUID();
      for (const _ of [1, 2])
        requester.send({ action: 'request', topic: 'full', requestId: id, timeout: 1000 });
      const refused = await requester.next(({ header }) => header.parentRequestId === id);
      assert.equal(errorCode(refused), 'invalid_request');
      for (let n = 0; n < 300; n += 1) requester.send({ action: 'request', topic: 'full', timeout: 1000 });
      await until(
        () => requester.frames.filter((frame) => errorCode(frame) === 'rate_limited').length === 45,
      );
      await until(
        () => requester.frames.filter((frame) => errorCode(frame) === 'request_timeout').length === 256,
      );
    });

    it('[WS-4] subscriptions are bounded', async () => {
      const client = await connect(one);
      for (const action of ['publish', 'request'] as const) {
        await Promise.all(Array.from({ length: 256 }, (_, n) => client.subscribe(`many.${n}`, action)));
        const answer = await client.ask('system.topic.subscribe', { topic: 'one.more', action });
        assert.equal(errorCode(answer), 'too_many_rooms');
      }
    });

    it('[WS-4] a channels claim is the limit, and no wildcard widens it', async () => {
      const [limited, free] = await Promise.all([connect(one, { channels: ['team.*'] }), connect(two)]);
      for (const topic of ['#', '+.a', 'team.a']) await limited.subscribe(topic);
      for (const topic of ['secret', 'team']) {
        for (const action of ['publish', 'request', 'both']) {
          assert.equal(
            errorCode(await limited.ask('system.topic.subscribe', { topic, action })),
            'forbidden',
          );
        }
        assert.equal(errorCode(await limited.ask(topic)), 'forbidden');
        const publish = limited.send({ topic }, 1);
        assert.equal(
          errorCode(await limited.next(({ header }) => header.parentRequestId === publish)),
          'forbidden',
        );
      }
      assert.equal(errorCode(await free.ask('secret.a', {}, { timeout: 400 })), 'no_subscriber');
      free.send({ topic: 'secret.a' }, 1);
      free.send({ topic: 'team.a' }, 2);
      assert.equal((await limited.next(({ header }) => header.action === 'publish')).payload, 2);
      assert.deepEqual(
        limited.frames.filter(({ header }) => header.topic === 'secret.a'),
        [],
      );
    });

    it('[WS-4] an observer only watches', async () => {
      const [observer, other] = await Promise.all([connect(one, { role: 'observer' }), connect(two)]);
      observer.serve(() => 'served');
      await observer.subscribe('seen');
      for (const topic of ['seen', '#']) {
        await observer.subscribe(topic);
        assert.equal(errorCode(await other.ask('seen', {}, { timeout: 500 })), 'no_subscriber');
      }
      assert.equal(
        errorCode(await observer.ask('system.topic.subscribe', { topic: 'seen', action: 'request' })),
        'forbidden',
      );
      assert.equal(errorCode(await observer.ask('seen')), 'forbidden');
      other.send({ topic: 'seen' }, 'hello');
      await observer.next(({ payload }) => payload === 'hello');
    });

    it('[WS-4] names with a colon are written %3A in headers', async () => {
      const [publisher, reader] = await Promise.all([connect(one), connect(two)]);
      await reader.subscribe('a:b');
      publisher.socket.send('publish:a%3Ab:1.0.0\n1');
      const { line, header } = await reader.next(({ header }) => header.action === 'publish');
      assert.equal(line, 'publish:a%3Ab:1.0.0');
      assert.equal(header.topic, 'a:b');
    });

    it('[WS-4] messages may be compressed where the client asks for it', async () => {
      const client = await connect(one, {}, { perMessageDeflate: true });
      await client.subscribe('big');
      assert.match(client.socket.ws.extensions, /permessage-deflate/);
      for (const binary of [false, true]) {
        client.send({ topic: 'big' }, 'x'.repeat(100_000), { binary });
        const push = await client.next(({ header }) => header.action === 'publish');
        assert.equal(push.binary, binary);
        assert.equal(push.payload, 'x'.repeat(100_000));
      }
    });
  });
}

describe('getting in to the Message Broker', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ JWT_SECRET, MAX_PAYLOAD_BYTES: '2048' });
    token = await jwts.issue({ userId: 'u', role: 'agent' }, 60);
  });
  after(() => server.stop());

  it('[WS-4] on /mb, and on /ws with the sub-protocol mb', async () => {
    const plain = await openMb(`${server.url}/mb?token=${token}`);
    assert.equal(plain.socket.ws.protocol, '');
    const named = await openMb(`${server.url}/mb`, { protocols: ['mb', `bearer.${token}`] });
    const onWs = await openMb(`${server.url}/ws`, { protocols: [`bearer.${token}`, 'mb'] });
    for (const client of [named, onWs]) assert.equal(client.socket.ws.protocol, 'mb');
    const byHeader = await openMb(`${server.url}/mb`, { headers: { authorization: `Bearer ${token}` } });
    for (const client of [plain, named, onWs, byHeader]) {
      assert.deepEqual((await client.ask('system.heartbeat')).payload, { status: 'success' });
      await client.close();
    }
  });

  it('[WS-4] a missing token is 401, a bad one 403; a foreign Origin is refused', async () => {
    assert.equal(await upgradeStatus(`${server.url}/mb`), 401);
    assert.equal(await upgradeStatus(`${server.url}/ws`, { protocols: ['mb'] }), 401);
    assert.equal(await upgradeStatus(`${server.url}/mb?token=a.b.c`), 403);
    const headers = { origin: 'https://evil.example' };
    assert.equal(await upgradeStatus(`${server.url}/mb?token=${token}`, { headers }), 403);
    assert.equal(await upgradeStatus(`${server.url}/mb/more?token=${token}`), 404);
  });

  it('[WS-4] the socket is closed with 4401 when its token expires', async () => {
    const short = await jwts.issue({ userId: 'u' }, 1);
    const client = await openMb(`${server.url}/mb?token=${short}`);
    await until(() => client.socket.closed);
    assert.equal(client.socket.closed?.code, 4401);
  });

  it('[WS-5] a frame above MAX_PAYLOAD_BYTES closes with 1009', async () => {
    const client = await openMb(`${server.url}/mb?token=${token}`);
    client.send({ topic: 'a' }, 'x'.repeat(2048));
    await until(() => client.socket.closed);
    assert.equal(client.socket.closed?.code, 1009);
  });

  it('[WS-0] without a secret it is off in production', async () => {
    const production = await startServer({
      NODE_ENV: 'production',
      EMBEDDED: '1',
      SESSION_SECRET: 'a session secret of some length',
    });
    assert.equal(await upgradeStatus(`${production.url}/mb?token=${token}`), 404);
    await production.stop();
  });
});
