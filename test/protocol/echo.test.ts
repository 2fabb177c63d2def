import assert from 'node:assert/strict';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';
import {
  enter,
  HMAC_SECRET,
  ISSUER_KEY,
  isType,
  knock,
  type Message,
  postJson,
  push,
  roomToken,
} from '../support/echo.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { type TestSocket, upgradeStatus } from '../support/websocket.ts';

/** Everything is shown on one instance, and on two that share a Redis: the second client is then on the other one. */
for (const instances of [1, 2]) {
  describe(`Echo rooms on ${instances === 1 ? 'one instance' : 'two instances'}`, () => {
    let redis: RedisServer | undefined;
    let one: TestServer;
    let two: TestServer;

    before(async function () {
      if (instances === 2) requirePart(this, 'redis-server');
      redis = instances === 2 ? await startRedis() : undefined;
      const env = { HMAC_SECRET, ISSUER_KEY, HTTP_RATE: '1000', ...(redis ? { REDIS_URL: redis.url } : {}) };
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

    const contents = (socket: TestSocket, type = 'message') =>
      socket.messages.filter(isType(type)).map(({ content }) => content);

    it('[WS-2] welcomes at /:room and /rooms/:room, with the token in the query, a header or the sub-protocol', async () => {
      const token = roomToken('lobby');
      for (const [path, options] of [
        [`/lobby?token=${token}`],
        [`/lobby/?token=${token}`],
        [`/rooms/lobby?token=${token}`],
        [`/?room=lobby&token=${token}`],
        ['/rooms/lobby', { headers: { authorization: `Bearer ${token}` } }],
        ['/rooms/lobby', { protocols: [`bearer.${token}`] }],
        [`/lobby?token=${token}`, { protocols: ['echo'] }],
      ] as const) {
        const socket = await knock(one, path, options as never);
        const { time, ...welcome } = await socket.next(() => true);
        assert.deepEqual(
          welcome,
          { type: 'welcome', message: 'Welcome to lobby', room: 'lobby', clientId: 'client-1' },
          path,
        );
        assert.ok(Math.abs(Date.now() - Date.parse(String(time))) < 5000);
        await socket.close();
      }
    });

    it('[WS-2] passes messages on to the others, in order, and not to their sender', async () => {
      const a = await enter(one, 'order', { clientId: 'a' });
      const b = await enter(two, 'order', { clientId: 'b' });
      for (let n = 0; n < 100; n += 1) {
        a.send({ type: 'message', content: { n }, metadata: { m: n } });
      }
      await until(() => contents(b).length === 100);
      assert.deepEqual(
        contents(b),
        Array.from({ length: 100 }, (_, n) => ({ n })),
      );
      const { timestamp, id, ...rest } = b.messages.find(isType('message')) ?? {};
      assert.deepEqual(rest, { type: 'message', content: { n: 0 }, from: 'a', metadata: { m: 0 } });
      assert.ok(Number.isInteger(timestamp) && Math.abs(Number(timestamp) - Date.now() / 1000) < 5);
      assert.equal(typeof id, 'string');
      b.send({ content: 'back' });
      await a.next(isType('message'));
      assert.deepEqual(contents(a), ['back']);
    });

    it('[WS-2] closes with 4001 without a token, 4002 for a bad or expired one, 4004 for that of another room, 4005 without a room', async () => {
      const good = roomToken('lobby');
      const past = createRoomTokens({ secret: HMAC_SECRET, now: () => Date.now() - 10_000 });
      const foreign = createRoomTokens({ secret: 'another secret' });
      const request = { clientId: 'x', room: 'lobby', expiresInS: 5 };
      const tampered = `${Buffer.from(JSON.stringify({ clientId: 'admin', room: 'lobby', issuedAt: 1, expiresAt: 9e15 })).toString('base64url')}.${good.split('.')[1]}`;
      for (const [path, code] of [
        ['/lobby', 4001],
        ['/rooms/lobby?token=', 4001],
        ['/lobby/remotecontrol', 4001],
        ['/lobby?token=x', 4002],
        [`/lobby?token=${tampered}`, 4002],
        [`/lobby?token=${good}x`, 4002],
        [`/lobby?token=${past.issue(request).token}`, 4002],
        [`/lobby?token=${foreign.issue(request).token}`, 4002],
        [`/other?token=${good}`, 4004],
        [`/Lobby?token=${good}`, 4004],
        [`/lobby/remotecontrol?token=${good}`, 4004],
        [`/lobby?token=${roomToken('lobby', { scope: 'control' })}`, 4004],
        [`/rooms?token=${good}`, 4005],
        [`/rooms/?token=${good}`, 4005],
        [`/?token=${good}`, 4005],
        [`/rooms/%00?token=${good}`, 4005],
      ] as const) {
        const socket = await knock(one, path);
        await until(() => socket.closed);
        assert.equal(socket.closed?.code, code, path);
        assert.deepEqual(socket.messages, [], path);
      }
    });

    it('[WS-2] closes with 4002 when the token expires', async () => {
      const socket = await enter(one, 'lobby', { expiresInS: 1 });
      await until(() => socket.closed);
      assert.equal(socket.closed?.code, 4002);
    });

    it('[WS-5] refuses a foreign Origin and addresses that are no rooms before the upgrade', async () => {
      const token = roomToken('lobby');
      const headers = { origin: 'https://evil.example' };
      for (const path of [
        '/lobby',
        '/rooms/lobby',
        '/rooms/lobby/remotecontrol',
        '/rooms',
        '/lobby?room=x',
      ]) {
        assert.equal(await upgradeStatus(`${one.url}${path}?token=${token}`, { headers }), 403, path);
      }
      for (const path of [
        '/health',
        '/api',
        '/_next',
        '/docs',
        '/node',
        '/a/b',
        '/socket.io2/x',
        '/auth/token',
      ]) {
        assert.equal(await upgradeStatus(`${one.url}${path}?token=${token}`), 404, path);
      }
    });

    it('[WS-2] acknowledges keepalive and ack to their sender alone', async () => {
      const a = await enter(one, 'quiet', { clientId: 'a' });
      const b = await enter(two, 'quiet', { clientId: 'b' });
      a.send({ type: 'keepalive' });
      a.send({ type: 'ack', content: 1 });
      a.send({ content: 'real' });
      const { receivedAt, ...ack } = await a.next(isType('ack'));
      assert.deepEqual(ack, { type: 'ack', ackType: 'keepalive' });
      assert.ok(!Number.isNaN(Date.parse(String(receivedAt))));
      assert.equal((await a.next(isType('ack'))).ackType, 'ack');
      await b.next(isType('message'));
      assert.deepEqual(contents(b), ['real']);
    });

    it('[WS-5] answers what it cannot read with an error of its form and keeps the connection', async () => {
      const socket = await enter(one, 'lobby');
      for (const [message, code] of [
        ['{', 'invalid_json'],
        ['['.repeat(100_000), 'invalid_json'],
        ['[1]', 'invalid_request'],
        ['"text"', 'invalid_request'],
        ['null', 'invalid_request'],
        ['{"type": 1}', 'invalid_request'],
        ['{"metadata": "x"}', 'invalid_request'],
      ] as const) {
        socket.send(message);
        const error = await socket.next(isType('error'));
        assert.equal(error.code, code, message.slice(0, 20));
        assert.equal(typeof error.error, 'string');
      }
      socket.ws.send(Buffer.from([1, 2, 3]), { binary: true });
      assert.equal((await socket.next(isType('error'))).code, 'invalid_request');
      socket.send({ type: 'keepalive' });
      await socket.next(isType('ack'));
    });

    it('[WS-2] nobody speaks in the name of the server or of another', async () => {
      const a = await enter(one, 'names', { clientId: 'a' });
      const b = await enter(two, 'names', { clientId: 'b' });
      a.send({ type: 'radio-content', from: 'server', timestamp: 1, id: 'x', content: 'c', role: 'admin' });
      a.send(
        '{"content": {"__proto__": {"admin": true}}, "__proto__": {"from": "server"}, "constructor": 1}',
      );
      const first = await b.next(isType('message'));
      assert.deepEqual([first.from, first.content, first.role], ['a', 'c', undefined]);
      assert.notEqual(first.timestamp, 1);
      assert.notEqual(first.id, 'x');
      assert.equal((await b.next(isType('message'))).from, 'a');
      assert.equal(({} as Message).admin, undefined);
    });

    it('[WS-2] a push arrives in radio as radio-content from the server, and the answer counts the cluster', async () => {
      const a = await enter(one, 'radio', { clientId: 'a' });
      const b = await enter(two, 'radio', { clientId: 'b' });
      const control = await knock(
        two,
        `/radio/remotecontrol?token=${roomToken('radio', { scope: 'control' })}`,
      );
      await control.next(isType('control-welcome'));
      await until(async () => (await push(one, 'radio', { content: 'warm-up' })).body.clientCount === 2);
      const answer = await postJson(
        one,
        '/rooms/radio/post',
        { content: { name: 'Song', duration: 180 } },
        roomToken('radio'),
      );
      assert.deepEqual(answer, { status: 200, body: { success: true, clientCount: 2 } });
      for (const socket of [a, b]) {
        const { timestamp, id, ...rest } = await socket.next(
          (message) => message.type === 'radio-content' && message.content !== 'warm-up',
        );
        assert.deepEqual(rest, {
          type: 'radio-content',
          content: { name: 'Song', duration: 180 },
          from: 'server',
        });
        assert.ok(Number.isInteger(timestamp) && typeof id === 'string');
      }
    });

    it('[WS-2] radio keeps ten messages and shows the newest five in its welcome, none of them twice', async () => {
      for (let n = 0; n < 12; n += 1) await push(n % 2 ? one : two, 'radio', { content: { n } });
      const talk = setInterval(() => void push(one, 'radio', { content: { n: 'later' } }), 3);
      const late = await knock(two, `/radio?token=${roomToken('radio')}`);
      const welcome = await late.next(isType('welcome'));
      await late.next(isType('radio-content'));
      clearInterval(talk);
      const recent = welcome.recent as Message[];
      assert.equal(recent.length, 5);
      const ids = [...recent, ...late.messages.filter(isType('radio-content'))].map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      assert.deepEqual(Object.keys(recent[0] ?? {}).sort(), ['content', 'from', 'id', 'timestamp', 'type']);
    });

    it('[WS-2] radio keeps a message back for its delay, in order', async () => {
      const a = await enter(one, 'radio', { clientId: 'delay-listener' });
      const start = performance.now();
      const answer = await push(two, 'radio', { content: 'slow', delay: 0.3 });
      assert.equal(answer.body.delayMs, 300);
      await push(two, 'radio', { content: 'slower', delay: 0.4 });
      await push(two, 'radio', { content: 'quick' });
      await until(() => contents(a, 'radio-content').includes('slower'));
      assert.ok(performance.now() - start >= 299);
      const wanted = ['slow', 'slower', 'quick'];
      assert.deepEqual(
        contents(a, 'radio-content').filter((content) => wanted.includes(String(content))),
        ['quick', 'slow', 'slower'],
      );
    });

    it('[WS-2] chat refuses messages that say nothing', async () => {
      const a = await enter(one, 'chat', { clientId: 'a' });
      const b = await enter(two, 'chat', { clientId: 'b' });
      a.send({ type: 'message', content: ' ' });
      assert.deepEqual(await a.next(isType('error')), {
        type: 'error',
        error: 'content is empty',
        code: 'invalid_request',
      });
      a.send({ type: 'message', content: 'hello' });
      await b.next(isType('message'));
      assert.deepEqual(contents(b), ['hello']);
    });

    it('[WS-2] control clients get what goes on without its content, and only receive', async () => {
      const member = await enter(two, 'ops', { clientId: 'm' });
      const control = await knock(
        one,
        `/rooms/ops/remotecontrol?token=${roomToken('ops', { scope: 'control' })}`,
      );
      const { time: _time, ...welcome } = await control.next(() => true);
      assert.deepEqual(welcome, { type: 'control-welcome', message: 'Control channel of ops', room: 'ops' });
      control.send({ type: 'message', content: 'from control' });
      assert.equal((await control.next(isType('error'))).code, 'forbidden');
      member.send({ content: 'secret' });
      const { timestamp, id, ...rest } = await control.next(isType('control'));
      assert.deepEqual(rest, { type: 'control', event: 'message', room: 'ops', from: 'm', size: 8 });
      assert.ok(Number.isInteger(timestamp) && typeof id === 'string');
      assert.ok(!control.texts.some((text) => text.includes('secret')));
      assert.deepEqual(contents(member), []);
      await until(async () => (await push(one, 'ops', { content: 1 })).body.clientCount === 1);
    });

    it('[WS-2] tells players on the control channel of radio what to play', async () => {
      const token = roomToken('radio', { scope: 'control' });
      const control = await knock(two, `/radio/remotecontrol?token=${token}`);
      await control.next(isType('control-welcome'));
      await push(one, 'radio', { content: { title: 'Song', duration: 180 } });
      const { rc } = await control.next((message) => 'rc' in message);
      const { id, ...rest } = rc as Message;
      assert.equal(typeof id, 'string');
      assert.deepEqual(rest, { version: 1, action: 'play_now', name: 'Song', 'max-duration': 180 });
    });

    it('[WS-2] a push needs a token of the room, and not that of its control channel', async () => {
      const listener = await enter(two, 'guarded');
      const body = { content: 'x' };
      for (const [bearer, status, code] of [
        [undefined, 401, 'not_authenticated'],
        ['x', 401, 'invalid_token'],
        [roomToken('other'), 403, 'forbidden'],
        [roomToken('guarded', { scope: 'control' }), 403, 'forbidden'],
        [ISSUER_KEY, 401, 'invalid_token'],
      ] as const) {
        for (const path of ['/guarded/postcontent', '/rooms/guarded/post']) {
          const answer = await postJson(one, path, body, bearer);
          assert.equal(answer.status, status);
          assert.equal(answer.body.error?.code, code);
        }
      }
      const evil = await postJson(one, '/guarded/postcontent', body, roomToken('guarded'), {
        origin: 'https://evil.example',
      });
      assert.equal(evil.status, 403);
      await push(one, 'guarded', { content: 'right' });
      await listener.next(isType('message'));
      assert.deepEqual(contents(listener), ['right']);
    });

    it('[WS-2] [HTTP-2] a push that is no JSON object, too large or too deep is refused', async () => {
      for (const [body, status] of [
        ['{', 400],
        ['[1]', 400],
        ['"x"', 400],
        [JSON.stringify({ content: 'x'.repeat(1_048_576) }), 413],
        [`{"content":${'['.repeat(1000)}${']'.repeat(1000)}}`, 400],
      ] as const) {
        assert.equal((await push(one, 'lobby', body)).status, status, body.slice(0, 20));
      }
      const text = await postJson(one, '/lobby/postcontent', 'hi', roomToken('lobby'), {
        'content-type': 'text/plain',
      });
      assert.equal(text.status, 400);
    });

    it('[WS-2] a push that names itself is delivered once, on whichever instance it is repeated', async () => {
      const listener = await enter(two, 'once');
      const named = { 'idempotency-key': 'k-1' };
      await push(one, 'once', { content: 'header' }, named);
      const again = await push(two, 'once', { content: 'header' }, named);
      assert.deepEqual([again.status, again.body.success, again.body.duplicate], [200, true, true]);
      await push(two, 'once', { content: 'body', nonce: 'k-2', timestamp: Date.now() });
      assert.equal((await push(one, 'once', { content: 'body', nonce: 'k-2' })).body.duplicate, true);
      const stale = await push(one, 'once', {
        content: 'stale',
        nonce: 'k-3',
        timestamp: Date.now() - 3_600_000,
      });
      assert.equal(stale.status, 400);
      const old = await push(one, 'once', { content: 'stale' }, { 'x-timestamp': '2020-01-01T00:00:00Z' });
      assert.equal(old.status, 400);
      // Not delivered, so not remembered.
      assert.equal((await push(one, 'once', { content: 'after', nonce: 'k-3' })).body.duplicate, undefined);
      await until(() => contents(listener).includes('after'));
      assert.deepEqual(contents(listener), ['header', 'body', 'after']);
    });

    it('[WS-2] mints tokens for the issuer key and for nothing else', async () => {
      const request = { clientId: 'c', room: 'minted', expiresIn: 60 };
      const start = Date.now();
      const { status, body } = await postJson(one, '/auth/token', request, ISSUER_KEY);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(body).sort(), ['expiresAt', 'token']);
      assert.ok(Math.abs(Number(body.expiresAt) - start - 60_000) < 5000);
      const [claims = '', signature = ''] = String(body.token).split('.');
      assert.match(signature, /^[\w-]{43}$/);
      const { issuedAt, expiresAt, ...rest } = JSON.parse(
        Buffer.from(claims, 'base64url').toString(),
      ) as Record<string, number>;
      assert.deepEqual(rest, { clientId: 'c', room: 'minted' });
      assert.equal(expiresAt, body.expiresAt);
      assert.equal(Number(expiresAt) - Number(issuedAt), 60_000);
      const socket = await knock(two, `/minted?token=${body.token}`);
      await socket.next(isType('welcome'));

      const control = await postJson(one, '/auth/token', { ...request, scope: 'control' }, ISSUER_KEY);
      const controller = await knock(two, `/minted/remotecontrol?token=${control.body.token}`);
      await controller.next(isType('control-welcome'));

      for (const bearer of [undefined, '', 'x', `${ISSUER_KEY}x`, ISSUER_KEY.slice(1), String(body.token)]) {
        const refused = await postJson(one, '/auth/token', request, bearer);
        assert.equal(refused.status, 401, bearer);
        assert.equal(refused.body.token, undefined);
      }
      for (const bad of [
        {},
        { ...request, room: '' },
        { ...request, room: 'a\u0000b' },
        { ...request, clientId: '' },
        { ...request, expiresIn: 0 },
        { ...request, expiresIn: '60' },
        { ...request, expiresIn: 1e9 },
        { ...request, scope: 'admin' },
        { ...request, metadata: { x: 'y'.repeat(5000) } },
      ]) {
        const refused = await postJson(one, '/auth/token', bad, ISSUER_KEY);
        assert.equal(refused.status, 400, JSON.stringify(bad).slice(0, 60));
      }
    });

    it('[HTTP-1] /health counts rooms and clients and shows what the handlers say', async () => {
      const socket = await enter(one, 'chat');
      await until(async () => {
        const health = (await (await fetch(`${one.url}/health`)).json()) as {
          clients: number;
          rooms: number;
          roomStats?: Record<string, { clients: number }>;
        };
        return (
          Number(health.clients) > 0 &&
          Number(health.rooms) > 0 &&
          Number(health.roomStats?.chat?.clients) > 0
        );
      });
      await socket.close();
    });

    it('[WS-2] counts a client no more when it has gone', async () => {
      const a = await enter(one, 'leaving', { clientId: 'a' });
      const b = await enter(two, 'leaving', { clientId: 'b' });
      const count = async () => (await push(one, 'leaving', { content: 1 })).body.clientCount;
      await until(async () => (await count()) === 2);
      await a.close();
      await until(async () => (await count()) === 1);
      b.ws.terminate();
      await until(async () => (await count()) === 0);
    });
  });
}

describe('Echo rooms by themselves', () => {
  it('[WS-2] closes with 4000 where a client answers no ping', async () => {
    const server = await startServer({ HMAC_SECRET, HEARTBEAT_INTERVAL: '100', CLIENT_TIMEOUT: '300' });
    const socket = await knock(server, `/lobby?token=${roomToken('lobby')}`, { autoPong: false });
    const healthy = await enter(server, 'lobby');
    await until(() => socket.closed);
    assert.equal(socket.closed?.code, 4000);
    assert.equal(healthy.closed, null);
    await server.stop();
  });

  it('[WS-0] is off in production without HMAC_SECRET, and mints nothing without ISSUER_KEY', async () => {
    const production = {
      NODE_ENV: 'production',
      EMBEDDED: '1',
      SESSION_SECRET: 'a-very-long-session-secret',
    };
    const off = await startServer(production);
    assert.equal(await upgradeStatus(`${off.url}/lobby?token=x`), 404);
    assert.equal((await postJson(off, '/lobby/postcontent', {}, 'x')).status, 404);
    assert.equal((await postJson(off, '/auth/token', {}, 'x')).status, 404);
    await off.stop();
    const on = await startServer({ ...production, HMAC_SECRET });
    assert.equal((await postJson(on, '/auth/token', {}, '')).status, 404);
    assert.equal((await push(on, 'lobby', { content: 1 })).status, 200);
    await on.stop();
  });

  it('[WS-2] limits how often one client may ask for tokens', async () => {
    const server = await startServer({ HMAC_SECRET, ISSUER_KEY, HTTP_RATE: '3' });
    const statuses = [];
    for (let n = 0; n < 5; n += 1) {
      statuses.push((await postJson(server, '/auth/token', {}, `guess ${n}`)).status);
    }
    assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
    await server.stop();
  });

  it('[RUN-5] closes with 1001 at the stop, and what was delayed still goes out to the others', async function () {
    requirePart(this, 'redis-server');
    const redis = await startRedis();
    const env = { HMAC_SECRET, REDIS_URL: redis.url };
    const [one, two] = await Promise.all([startServer(env), startServer(env)]);
    for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
    const here = await enter(one, 'radio');
    const there = await enter(two, 'radio');
    for (const content of ['first', 'second']) await push(one, 'radio', { content, delay: 60 });
    await one.stop();
    await until(() => here.closed);
    assert.equal(here.closed?.code, 1001);
    await until(() => there.messages.filter(isType('radio-content')).length === 2);
    assert.deepEqual(
      there.messages.filter(isType('radio-content')).map(({ content }) => content),
      ['first', 'second'],
    );
    await two.stop();
    await redis.stop();
  });
});
