import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { describeMb, errorCode, openMb } from '../support/mb.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { upgradeStatus } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });

describeMb('the Message Broker', (rig) => {
  it('[WS-4] answers requests to the server itself', async () => {
    const client = await rig.connect(rig.one);
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
    const [publisher, reader, other] = await Promise.all([
      rig.connect(rig.one),
      rig.connect(rig.two),
      rig.connect(rig.two),
    ]);
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
    const [publisher, reader] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    await reader.subscribe('a.+.c');
    await reader.subscribe('x.#');
    for (const topic of ['a.b.c', 'a.c', 'a.b.b.c', 'x', 'x.y', 'x.y.z', 'xy', 'b.b.c', 'a.b.c.d', 'x.end']) {
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
    const [publisher, reader] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
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

  it('[WS-4] binary frames are answered in binary frames, pushes too', async () => {
    const [client, responder] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
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
    const client = await rig.connect(rig.one);
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
      assert.deepEqual([header.action, header.parentRequestId], ['response', text.split(/[:\n]/)[3]], text);
    }
    client.socket.ws.send('publish:p:1.0.0\n{"__proto__":{"polluted":1}}');
    await client.ask('system.heartbeat');
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('[WS-4] subscriptions are bounded', async () => {
    const client = await rig.connect(rig.one);
    for (const action of ['publish', 'request'] as const) {
      await Promise.all(Array.from({ length: 256 }, (_, n) => client.subscribe(`many.${n}`, action)));
      const answer = await client.ask('system.topic.subscribe', { topic: 'one.more', action });
      assert.equal(errorCode(answer), 'too_many_rooms');
    }
  });

  it('[WS-4] a channels claim is the limit, and no wildcard widens it', async () => {
    const [limited, free] = await Promise.all([
      rig.connect(rig.one, { channels: ['team.*'] }),
      rig.connect(rig.two),
    ]);
    for (const topic of ['#', '+.a', 'team.a']) await limited.subscribe(topic);
    for (const topic of ['secret', 'team']) {
      for (const action of ['publish', 'request', 'both']) {
        assert.equal(errorCode(await limited.ask('system.topic.subscribe', { topic, action })), 'forbidden');
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
    const [observer, other] = await Promise.all([
      rig.connect(rig.one, { role: 'observer' }),
      rig.connect(rig.two),
    ]);
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
    const [publisher, reader] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    await reader.subscribe('a:b');
    publisher.socket.send('publish:a%3Ab:1.0.0\n1');
    const { line, header } = await reader.next(({ header }) => header.action === 'publish');
    assert.equal(line, 'publish:a%3Ab:1.0.0');
    assert.equal(header.topic, 'a:b');
  });

  it('[WS-4] messages may be compressed where the client asks for it', async () => {
    const client = await rig.connect(rig.one, {}, { perMessageDeflate: true });
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
    // Issued at a whole second, so that up to one second less remains.
    const short = await jwts.issue({ userId: 'u' }, 2);
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
