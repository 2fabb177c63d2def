import assert from 'node:assert/strict';
import {
  describeRooms,
  enter,
  HMAC_SECRET,
  ISSUER_KEY,
  isType,
  knock,
  postJson,
  push,
  roomToken,
} from '../support/echo.ts';
import { startServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { type TestSocket, upgradeStatus } from '../support/websocket.ts';

describeRooms('Echo rooms over HTTP', (rig) => {
  const contents = (socket: TestSocket, type = 'message') =>
    socket.messages.filter(isType(type)).map(({ content }) => content);

  it('[WS-2] a push arrives in radio as radio-content from the server, and the answer counts the cluster', async () => {
    const a = await enter(rig.one, 'radio', { clientId: 'a' });
    const b = await enter(rig.two, 'radio', { clientId: 'b' });
    const control = await knock(
      rig.two,
      `/radio/remotecontrol?token=${roomToken('radio', { scope: 'control' })}`,
    );
    await control.next(isType('control-welcome'));
    await until(async () => (await push(rig.one, 'radio', { content: 'warm-up' })).body.clientCount === 2);
    const answer = await postJson(
      rig.one,
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

  it('[WS-2] a push needs a token of the room, and not that of its control channel', async () => {
    const listener = await enter(rig.two, 'guarded');
    const body = { content: 'x' };
    for (const [bearer, status, code] of [
      [undefined, 401, 'not_authenticated'],
      ['x', 401, 'invalid_token'],
      [roomToken('other'), 403, 'forbidden'],
      [roomToken('guarded', { scope: 'control' }), 403, 'forbidden'],
      [ISSUER_KEY, 401, 'invalid_token'],
    ] as const) {
      for (const path of ['/guarded/postcontent', '/rooms/guarded/post']) {
        const answer = await postJson(rig.one, path, body, bearer);
        assert.equal(answer.status, status);
        assert.equal(answer.body.error?.code, code);
      }
    }
    const evil = await postJson(rig.one, '/guarded/postcontent', body, roomToken('guarded'), {
      origin: 'https://evil.example',
    });
    assert.equal(evil.status, 403);
    await push(rig.one, 'guarded', { content: 'right' });
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
      assert.equal((await push(rig.one, 'lobby', body)).status, status, body.slice(0, 20));
    }
    const text = await postJson(rig.one, '/lobby/postcontent', 'hi', roomToken('lobby'), {
      'content-type': 'text/plain',
    });
    assert.equal(text.status, 400);
  });

  it('[WS-2] a push that names itself is delivered once, on whichever instance it is repeated', async () => {
    const listener = await enter(rig.two, 'once');
    const named = { 'idempotency-key': 'k-1' };
    await push(rig.one, 'once', { content: 'header' }, named);
    const again = await push(rig.two, 'once', { content: 'header' }, named);
    assert.deepEqual([again.status, again.body.success, again.body.duplicate], [200, true, true]);
    await push(rig.two, 'once', { content: 'body', nonce: 'k-2', timestamp: Date.now() });
    assert.equal((await push(rig.one, 'once', { content: 'body', nonce: 'k-2' })).body.duplicate, true);
    const stale = await push(rig.one, 'once', {
      content: 'stale',
      nonce: 'k-3',
      timestamp: Date.now() - 3_600_000,
    });
    assert.equal(stale.status, 400);
    const old = await push(rig.one, 'once', { content: 'stale' }, { 'x-timestamp': '2020-01-01T00:00:00Z' });
    assert.equal(old.status, 400);
    // Not delivered, so not remembered.
    assert.equal((await push(rig.one, 'once', { content: 'after', nonce: 'k-3' })).body.duplicate, undefined);
    await until(() => contents(listener).includes('after'));
    assert.deepEqual(contents(listener), ['header', 'body', 'after']);
  });

  it('[WS-2] mints tokens for the issuer key and for nothing else', async () => {
    const request = { clientId: 'c', room: 'minted', expiresIn: 60 };
    const start = Date.now();
    const { status, body } = await postJson(rig.one, '/auth/token', request, ISSUER_KEY);
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
    const socket = await knock(rig.two, `/minted?token=${body.token}`);
    await socket.next(isType('welcome'));

    const control = await postJson(rig.one, '/auth/token', { ...request, scope: 'control' }, ISSUER_KEY);
    const controller = await knock(rig.two, `/minted/remotecontrol?token=${control.body.token}`);
    await controller.next(isType('control-welcome'));

    for (const bearer of [undefined, '', 'x', `${ISSUER_KEY}x`, ISSUER_KEY.slice(1), String(body.token)]) {
      const refused = await postJson(rig.one, '/auth/token', request, bearer);
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
      const refused = await postJson(rig.one, '/auth/token', bad, ISSUER_KEY);
      assert.equal(refused.status, 400, JSON.stringify(bad).slice(0, 60));
    }
  });

  it('[HTTP-1] /health counts rooms and clients and shows what the handlers say', async () => {
    const socket = await enter(rig.one, 'chat');
    await until(async () => {
      const health = (await (await fetch(`${rig.one.url}/health`)).json()) as {
        clients: number;
        rooms: number;
        roomStats?: Record<string, { clients: number }>;
      };
      return (
        Number(health.clients) > 0 && Number(health.rooms) > 0 && Number(health.roomStats?.chat?.clients) > 0
      );
    });
    await socket.close();
  });
});

describe('Echo rooms over HTTP by themselves', () => {
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
});
