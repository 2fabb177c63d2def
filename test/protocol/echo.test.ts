import assert from 'node:assert/strict';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';
import {
  describeRooms,
  enter,
  HMAC_SECRET,
  isType,
  knock,
  type Message,
  postJson,
  push,
  roomToken,
} from '../support/echo.ts';
import { requirePart } from '../support/parts.ts';
import { startRedis } from '../support/redis.ts';
import { startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { type TestSocket, upgradeStatus } from '../support/websocket.ts';

describeRooms('Echo rooms', (rig) => {
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
      const socket = await knock(rig.one, path, options as never);
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
    const a = await enter(rig.one, 'order', { clientId: 'a' });
    const b = await enter(rig.two, 'order', { clientId: 'b' });
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
      const socket = await knock(rig.one, path);
      await until(() => socket.closed);
      assert.equal(socket.closed?.code, code, path);
      assert.deepEqual(socket.messages, [], path);
    }
  });

  it('[WS-2] closes with 4002 when the token expires', async () => {
    const socket = await enter(rig.one, 'lobby', { expiresInS: 2 });
    await until(() => socket.closed);
    assert.equal(socket.closed?.code, 4002);
  });

  it('[WS-5] refuses a foreign Origin and addresses that are no rooms before the upgrade', async () => {
    const token = roomToken('lobby');
    const headers = { origin: 'https://evil.example' };
    for (const path of ['/lobby', '/rooms/lobby', '/rooms/lobby/remotecontrol', '/rooms', '/lobby?room=x']) {
      assert.equal(await upgradeStatus(`${rig.one.url}${path}?token=${token}`, { headers }), 403, path);
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
      assert.equal(await upgradeStatus(`${rig.one.url}${path}?token=${token}`), 404, path);
    }
  });

  it('[WS-2] acknowledges keepalive and ack to their sender alone', async () => {
    const a = await enter(rig.one, 'quiet', { clientId: 'a' });
    const b = await enter(rig.two, 'quiet', { clientId: 'b' });
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
    const socket = await enter(rig.one, 'lobby');
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
    const a = await enter(rig.one, 'names', { clientId: 'a' });
    const b = await enter(rig.two, 'names', { clientId: 'b' });
    a.send({ type: 'radio-content', from: 'server', timestamp: 1, id: 'x', content: 'c', role: 'admin' });
    a.send('{"content": {"__proto__": {"admin": true}}, "__proto__": {"from": "server"}, "constructor": 1}');
    const first = await b.next(isType('message'));
    assert.deepEqual([first.from, first.content, first.role], ['a', 'c', undefined]);
    assert.notEqual(first.timestamp, 1);
    assert.notEqual(first.id, 'x');
    assert.equal((await b.next(isType('message'))).from, 'a');
    assert.equal(({} as Message).admin, undefined);
  });

  it('[WS-2] radio keeps ten messages and shows the newest five in its welcome, none of them twice', async () => {
    for (let n = 0; n < 12; n += 1) await push(n % 2 ? rig.one : rig.two, 'radio', { content: { n } });
    const talk = setInterval(() => void push(rig.one, 'radio', { content: { n: 'later' } }), 3);
    const late = await knock(rig.two, `/radio?token=${roomToken('radio')}`);
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
    const a = await enter(rig.one, 'radio', { clientId: 'delay-listener' });
    const start = performance.now();
    const answer = await push(rig.two, 'radio', { content: 'slow', delay: 1 });
    assert.equal(answer.body.delayMs, 1000);
    await push(rig.two, 'radio', { content: 'slower', delay: 1.1 });
    await push(rig.two, 'radio', { content: 'quick' });
    await until(() => contents(a, 'radio-content').includes('slower'));
    assert.ok(performance.now() - start >= 1099);
    const wanted = ['slow', 'slower', 'quick'];
    assert.deepEqual(
      contents(a, 'radio-content').filter((content) => wanted.includes(String(content))),
      ['quick', 'slow', 'slower'],
    );
  });

  it('[WS-2] chat refuses messages that say nothing', async () => {
    const a = await enter(rig.one, 'chat', { clientId: 'a' });
    const b = await enter(rig.two, 'chat', { clientId: 'b' });
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
    const member = await enter(rig.two, 'ops', { clientId: 'm' });
    const control = await knock(
      rig.one,
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
    await until(async () => (await push(rig.one, 'ops', { content: 1 })).body.clientCount === 1);
  });

  it('[WS-2] tells players on the control channel of radio what to play', async () => {
    const token = roomToken('radio', { scope: 'control' });
    const control = await knock(rig.two, `/radio/remotecontrol?token=${token}`);
    await control.next(isType('control-welcome'));
    await push(rig.one, 'radio', { content: { title: 'Song', duration: 180 } });
    const { rc } = await control.next((message) => 'rc' in message);
    const { id, ...rest } = rc as Message;
    assert.equal(typeof id, 'string');
    assert.deepEqual(rest, { version: 1, action: 'play_now', name: 'Song', 'max-duration': 180 });
  });

  it('[WS-2] counts a client no more when it has gone', async () => {
    const a = await enter(rig.one, 'leaving', { clientId: 'a' });
    const b = await enter(rig.two, 'leaving', { clientId: 'b' });
    const count = async () => (await push(rig.one, 'leaving', { content: 1 })).body.clientCount;
    await until(async () => (await count()) === 2);
    await a.close();
    await until(async () => (await count()) === 1);
    b.ws.terminate();
    await until(async () => (await count()) === 0);
  });
});

describe('Echo rooms by themselves', () => {
  it('[WS-2] closes with 4000 where a client answers no ping', async () => {
    const server = await startServer({ HMAC_SECRET, HEARTBEAT_INTERVAL: '100', CLIENT_TIMEOUT: '1000' });
    const socket = await knock(server, `/lobby?token=${roomToken('lobby')}`, { autoPong: false });
    const healthy = await enter(server, 'lobby');
    await until(() => socket.closed);
    assert.equal(socket.closed?.code, 4000);
    assert.equal(healthy.closed, null);
    await server.stop();
  });

  it('[WS-2] a member whose delayed messages fill its share leaves room for those of others', async () => {
    const server = await startServer({ HMAC_SECRET, MESSAGE_RATE: '10000' });
    const greedy = await enter(server, 'radio', { clientId: 'greedy' });
    const other = await enter(server, 'radio', { clientId: 'other' });
    for (let n = 0; n < 1001; n += 1) greedy.send({ content: n, delay: 600 });
    assert.equal((await greedy.next(isType('error'))).code, 'rate_limited');
    // What a client pushes over HTTP counts for it as well.
    const token = roomToken('radio', { clientId: 'greedy' });
    const refused = await postJson(server, '/radio/postcontent', { content: 'more', delay: 600 }, token);
    assert.equal(refused.status, 429);
    other.send({ content: 'later', delay: 0.05 });
    assert.equal((await push(server, 'radio', { content: 'pushed', delay: 0.05 })).status, 200);
    await greedy.next(({ content }) => content === 'later');
    await greedy.next(({ content }) => content === 'pushed');
    assert.deepEqual(other.messages.filter(isType('error')), []);
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
