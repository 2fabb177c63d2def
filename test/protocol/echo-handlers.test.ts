import assert from 'node:assert/strict';
import {
  enter,
  HMAC_SECRET,
  ISSUER_KEY,
  isType,
  knock,
  type Message,
  push,
  roomToken,
} from '../support/echo.ts';
import { createRecordLogger, type RecordLogger } from '../support/record-logger.ts';
import { makeRoomsDir } from '../support/rooms-dir.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';
import { openSocket, type TestSocket } from '../support/websocket.ts';

/** Handlers as users write them: plain ES modules, some of them broken. */
const FILES = {
  // As in the document, without the base class.
  'myroom/MyRoomHandler.mjs': `export default class MyRoomHandler {
    constructor(roomName) { this.roomName = roomName; this.requiresAuth = true; this.broadcastDelay = 0; }
    async verifyAuth(auth, req, address) {
      if (auth.clientId === 'banned') return { reject: true, code: 4321, reason: 'Banned ' + req.path + (address ? '' : '?') };
      return true;
    }
    async onJoin(socket, req, address, auth) { return auth.clientId !== 'unwanted'; }
    async onMessage(payload) {
      if (payload.content === 'drop') return false;
      if (payload.content === 'keep') return null;
      return { ...payload, processed: true, timestamp: Date.now() };
    }
    validateMessage(payload) { return payload.content === 'bad' ? { error: 'bad content', code: 'bad' } : null; }
    validateHttpPost(body) { return body.content === 'bad' ? { error: 'bad push', code: 422 } : null; }
    onHttpPost(body) { return body.content === 'drop' ? false : { ...body, content: [body.content] }; }
    getWelcomeMessage(socket) { return { type: 'hello', to: socket.clientId, meta: socket.metadata }; }
    getRoomStats(clients) { return { names: clients.map((client) => client.clientId) }; }
    getControlPayload({ from, size }) { return { seen: from, size }; }
    getRoutes() {
      return [
        { method: 'GET', path: '/who', handler: ({ auth, query }) => ({ body: { me: auth.clientId, q: query.q ?? null } }) },
        { method: 'POST', path: '/public/echo', open: true, handler: ({ body }) => ({ status: 201, body }) },
        { method: 'GET', path: '/boom', open: true, handler: () => { throw new Error('secret of the handler'); } },
        { method: 'GET', path: '/../../health', open: true, handler: () => ({ body: 'mine' }) },
        { method: 'POST', path: '/post', open: true, handler: () => ({ body: 'mine' }) },
        { method: 'PATCH', path: '/x', handler: () => ({}) },
        null,
      ];
    }
  }`,
  'open.mjs': `export default class {
    requiresAuth = false;
    messageType = 'note';
    verifyAuth(auth) { return true; }
  }`,
  'broken.mjs': `export default class {
    async onMessage(payload) {
      if (payload.content === 'throw') throw new Error('secret of the handler');
      if (payload.content === 'hang') await new Promise(() => {});
      if (payload.content === 'cycle') { const own = {}; own.own = own; return { content: own }; }
      if (payload.content === 'big') return { content: 1n };
    }
    onLeave() { throw new Error('left'); }
    getRoomStats() { return new Promise(() => {}); }
    onHeartbeat() { throw new Error('beat'); }
    onHttpPost(body) { if (body.content === 'throw') throw new Error('secret of the handler'); }
  }`,
  'closed.mjs': `export default class {
    verifyAuth() { throw new Error('secret of the handler'); }
  }`,
  'gate.mjs': `export default class {
    onJoin() { throw new Error('secret of the handler'); }
  }`,
  'slow.mjs': `export default class {
    broadcastDelay = 120;
    async onMessage(payload) { await new Promise((go) => setTimeout(go, payload.content === 1 ? 60 : 0)); }
  }`,
  'talk.mjs': `const seen = [];
    export default class {
      onJoin(socket) { seen.push('join ' + socket.clientId); socket.send({ type: 'private', to: socket.clientId }); socket.send('"text"'); }
      onControlJoin(socket) { seen.push('control ' + socket.clientId); }
      onControlLeave(socket, address, code) { seen.push('control-leave ' + socket.clientId + ' ' + code); }
      onLeave(socket, address, code, reason) { seen.push('leave ' + socket.clientId + ' ' + code + ' ' + reason); }
      onHeartbeat() { if (!seen.includes('beat')) seen.push('beat'); }
      onMessage(payload, socket) { if (payload.content === 'kick') socket.close(4999, 'kicked'); return false; }
      getWelcomeMessage() { return null; }
      getRoutes() { return [{ method: 'GET', path: '/', open: true, handler: () => ({ body: seen }) }]; }
    }`,
  'stuck.mjs': 'export default class { onMessage() { return new Promise(() => {}); } }',
  'stats.mjs': 'export default class { getRoomStats() { return { huge: 1n }; } }',
  'syntax.mjs': 'export default class {',
  'thorny.mjs': "export default class { get requiresAuth() { throw new Error('thorn'); } }",
};

describe('room handlers of ROOMS_DIR', () => {
  let server: TestServer;
  let logger: RecordLogger;

  before(async () => {
    logger = createRecordLogger();
    const env = { HMAC_SECRET, ISSUER_KEY, ROOMS_DIR: makeRoomsDir(FILES), HEARTBEAT_INTERVAL: '200' };
    server = await startServer(env, { logger });
  });
  after(() => server?.stop());

  const contents = (socket: TestSocket) =>
    socket.messages.filter(isType('message')).map(({ content }) => content);
  const my = async (clientId: string) => {
    const socket = await knock(server, `/myroom?token=${roomToken('myroom', { clientId })}`);
    await socket.next(isType('hello'));
    return socket;
  };
  const get = async (path: string, bearer?: string) => {
    const response = await fetch(`${server.url}${path}`, {
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });
    return { status: response.status, text: await response.text() };
  };

  it('[WS-2] reports the broken modules at the start and takes the others', () => {
    const left = logger.lines.filter((line) => line.includes('Room handler left out'));
    assert.equal(left.length, 2);
    assert.match(left.join(), /syntax\.mjs.*thorny\.mjs/);
  });

  it('[WS-2] verifyAuth and onJoin decide who comes in', async () => {
    const socket = await knock(
      server,
      `/myroom?token=${roomToken('myroom', { clientId: 'ok', metadata: { team: 'a' } })}`,
    );
    assert.deepEqual(await socket.next(() => true), { type: 'hello', to: 'ok', meta: { team: 'a' } });
    const banned = await knock(server, `/rooms/myroom?token=${roomToken('myroom', { clientId: 'banned' })}`);
    await until(() => banned.closed);
    assert.deepEqual(banned.closed, { code: 4321, reason: 'Banned /rooms/myroom' });
    const unwanted = await knock(server, `/myroom?token=${roomToken('myroom', { clientId: 'unwanted' })}`);
    await until(() => unwanted.closed);
    assert.equal(unwanted.closed?.code, 4004);
    assert.deepEqual(unwanted.messages, []);
    const token = roomToken('myroom', { clientId: 'banned' });
    const response = await fetch(`${server.url}/myroom/postcontent`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"content": 1}',
    });
    assert.equal(response.status, 403);
  });

  it('[WS-2] onMessage keeps, replaces and drops; validateMessage refuses', async () => {
    const a = await my('a');
    const b = await my('b');
    for (const content of ['keep', 'drop', 'bad', 'change']) a.send({ type: 'message', content });
    assert.deepEqual(await a.next(isType('error')), { type: 'error', error: 'bad content', code: 'bad' });
    await until(() => contents(b).length === 2);
    assert.deepEqual(contents(b), ['keep', 'change']);
    const [kept, changed] = b.messages.filter(isType('message'));
    assert.equal(kept?.processed, undefined);
    assert.equal(changed?.processed, true);
    assert.ok(Math.abs(Number(changed?.timestamp) - Date.now() / 1000) < 5, 'epoch seconds');
  });

  it('[WS-2] onHttpPost and validateHttpPost do the same for pushes', async () => {
    const listener = await my('listener');
    assert.deepEqual((await push(server, 'myroom', { content: 'x' })).body.success, true);
    assert.deepEqual((await listener.next(isType('message'))).content, ['x']);
    const bad = await push(server, 'myroom', { content: 'bad' });
    assert.deepEqual([bad.status, bad.body.error?.message], [422, 'bad push']);
    const dropped = await push(server, 'myroom', { content: 'drop' });
    assert.deepEqual([dropped.status, dropped.body.error?.code], [403, 'forbidden']);
  });

  it('[WS-2] getControlPayload and getRoomStats are what the handler says', async () => {
    const member = await my('member');
    const control = await knock(
      server,
      `/myroom/remotecontrol?token=${roomToken('myroom', { clientId: 'c', scope: 'control' })}`,
    );
    await control.next(isType('control-welcome'));
    member.send({ content: 'keep' });
    assert.deepEqual(await control.next((message) => 'seen' in message), { seen: 'member', size: 6 });
    await until(async () => {
      const health = JSON.parse((await get('/health')).text) as {
        roomStats: Record<string, { names: string[] } | null>;
      };
      assert.equal(health.roomStats.broken, null);
      const names = health.roomStats.myroom?.names ?? [];
      return names.includes('member') && !names.includes('c');
    });
  });

  it('[WS-2] getRoutes answers under the path of the room, with its token unless the route is open', async () => {
    const token = roomToken('myroom', { clientId: 'me' });
    for (const path of ['/myroom/who', '/rooms/myroom/who']) {
      const { status, text } = await get(`${path}?q=1`, token);
      assert.deepEqual([status, JSON.parse(text)], [200, { me: 'me', q: '1' }]);
      assert.equal((await get(path)).status, 401);
      assert.equal((await get(path, 'x')).status, 401);
      assert.equal((await get(path, roomToken('other'))).status, 403);
      assert.equal((await get(path, roomToken('myroom', { scope: 'control' }))).status, 403);
    }
    const response = await fetch(`${server.url}/rooms/myroom/public/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    });
    assert.deepEqual([response.status, await response.json()], [201, { a: 1 }]);
    const boom = await get('/myroom/boom');
    assert.equal(boom.status, 500);
    assert.ok(!boom.text.includes('secret of the handler'));
    assert.equal((JSON.parse((await get('/health')).text) as Message).status, 'ok');
    assert.equal((await push(server, 'myroom', { content: 'x' })).body.success, true);
    assert.equal((await get('/other/who', token)).status, 404);
    const problems = logger.lines.filter((line) => line.includes('Route of a room left out'));
    assert.equal(problems.length, 4);
  });

  it('[SIO-10] [WS-2] whom the handler does not let in is not let in over Socket.IO either', async () => {
    const socket = server.client().connect();
    await until(() => socket.connected);
    const join = (room: string, clientId: string) =>
      socket.emitWithAck('join_room', { room, token: roomToken(room, { clientId }) });
    for (const [room, clientId] of [
      ['myroom', 'banned'],
      ['closed', 'anybody'],
    ] as const) {
      const refused = await join(room, clientId);
      assert.equal(refused.ok ? '' : refused.error.code, 'forbidden', room);
      const said = await socket.emitWithAck('publish_room', { room, data: 1 });
      assert.equal(said.ok ? '' : said.error.code, 'not_authenticated', room);
    }
    assert.deepEqual(await join('myroom', 'welcome'), { ok: true });
    assert.deepEqual(await join('no handler', 'anybody'), { ok: true });
  });

  it('[WS-2] requiresAuth: false takes anybody, but not with a bad token', async () => {
    const guest = await knock(server, '/open');
    const { clientId } = await guest.next(isType('welcome'));
    assert.match(String(clientId), /^guest-/);
    const other = await knock(server, '/open');
    await other.next(isType('welcome'));
    guest.send({ content: 1 });
    assert.equal((await other.next(isType('note'))).from, clientId);
    const bad = await knock(server, '/open?token=x');
    await until(() => bad.closed);
    assert.equal(bad.closed?.code, 4002);
    const control = await knock(server, '/open/remotecontrol');
    await until(() => control.closed);
    assert.equal(control.closed?.code, 4001);
    const post = await fetch(`${server.url}/open/postcontent`, { method: 'POST', body: '{}' });
    assert.equal(post.status, 401);
  });

  it('[WS-2] a handler that throws, hangs or returns nonsense harms only that message', async () => {
    const a = await enter(server, 'broken', { clientId: 'a' });
    const c = await enter(server, 'broken', { clientId: 'c' });
    const b = await enter(server, 'broken', { clientId: 'b' });
    for (const content of [1, 'throw', 2, 'cycle', 'big', 'hang', 3]) a.send({ content });
    c.send({ content: 'from c' });
    await until(() => contents(b).includes('from c'));
    assert.ok(!contents(b).includes(3), 'the hanging message of one client delays no other client');
    await until(() => contents(b).length === 4);
    assert.deepEqual(
      contents(b).filter((content) => content !== 'from c'),
      [1, 2, 3],
    );
    await until(() => a.messages.filter(isType('error')).length === 4);
    assert.deepEqual(
      a.messages.filter(isType('error')).map(({ code }) => code),
      ['internal', 'invalid_request', 'invalid_request', 'internal'],
    );
    assert.ok(!a.texts.some((text) => text.includes('secret of the handler')));
    const pushed = await push(server, 'broken', { content: 'throw' });
    assert.deepEqual([pushed.status, pushed.body.error?.code], [500, 'internal']);
    await a.close();
    b.send({ content: 'still here' });
    await until(() => contents(c).includes('still here'));
  });

  it('[WS-2] what waits for a handler is bounded for each client', async () => {
    const socket = await enter(server, 'stuck');
    const content = 'x'.repeat(1_000_000);
    for (let n = 0; n < 20; n += 1) socket.send({ content });
    // Before the first one has timed out, which would be `internal`.
    assert.equal((await socket.next(isType('error'))).code, 'rate_limited');
    await socket.close();
  });

  it('[HTTP-1] [WS-2] figures of a room that are no JSON do not break /health', async () => {
    const { status, text } = await get('/health');
    assert.equal(status, 200);
    const { roomStats } = JSON.parse(text) as { roomStats: Record<string, unknown> };
    assert.deepEqual([roomStats.stats, roomStats.chat], [null, { clients: 0 }]);
  });

  it('[WS-2] nobody comes in by an error of the handler', async () => {
    for (const room of ['closed', 'gate']) {
      const socket = await knock(server, `/${room}?token=${roomToken(room)}`);
      await until(() => socket.closed);
      assert.equal(socket.closed?.code, 1011);
      assert.ok(!socket.closed?.reason.includes('secret'));
      assert.deepEqual(socket.messages, []);
    }
  });

  it('[WS-2] broadcastDelay is in ms and keeps the order of a sender, whatever the handler takes', async () => {
    const a = await enter(server, 'slow', { clientId: 'a' });
    const b = await enter(server, 'slow', { clientId: 'b' });
    const start = performance.now();
    const fair = startStopwatch();
    for (const content of [1, 2, 3]) a.send({ content });
    await until(() => contents(b).length === 3);
    const took = performance.now() - start;
    assert.ok(took >= 119 && fair() < 1500, `${took} ms`);
    assert.deepEqual(contents(b), [1, 2, 3]);
  });

  it('[WS-2] the hooks of joining and leaving are called with what happened, and sockets can be written to and closed', async () => {
    const a = await openSocket(`${server.url}/talk?token=${roomToken('talk', { clientId: 'a' })}`);
    assert.deepEqual(await a.next(() => true), { type: 'private', to: 'a' });
    await until(() => a.texts.length === 2);
    const c = await knock(
      server,
      `/talk/remotecontrol?token=${roomToken('talk', { clientId: 'c', scope: 'control' })}`,
    );
    await c.next(isType('control-welcome'));
    a.send({ content: 'kick' });
    await until(() => a.closed);
    assert.deepEqual(a.closed, { code: 4999, reason: 'kicked' });
    await c.close();
    await until(async () => {
      const seen = JSON.parse((await get('/rooms/talk')).text) as string[];
      const expected = ['beat', 'join a', 'control c', 'leave a 4999 kicked', 'control-leave c 1005'];
      assert.deepEqual([...seen].sort(), expected.sort());
      return true;
    });
  });
});
