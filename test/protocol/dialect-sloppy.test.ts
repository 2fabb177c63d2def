import assert from 'node:assert/strict';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { enter, HMAC_SECRET, ISSUER_KEY, isType, knock, postJson } from '../support/echo.ts';
import { openMb } from '../support/mb.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { openSocket } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';

/** What clients of the originals send that is not quite as the documents have it. */
describe('sloppy clients of the dialects', () => {
  let server: TestServer;
  let token: string;
  before(async () => {
    server = await startServer({ JWT_SECRET, HMAC_SECRET, ISSUER_KEY });
    token = await createJwts({ secret: JWT_SECRET }).issue({ userId: 'u', role: 'agent' });
  });
  after(() => server.stop());

  it('[WS-1] [WS-2] [WS-4] an address may end in a slash', async () => {
    const nexus = await openSocket(`${server.url}/ws/?token=${token}`);
    await nexus.next(isType('connected'));
    const broker = await openMb(`${server.url}/mb/?token=${token}`);
    await broker.subscribe('a');
    const nobody = await knock(server, '/radio/remotecontrol/?token=x');
    await nobody.ws.close();
    assert.equal((await postJson(server, '/radio/postcontent/', {}, 'x')).status, 401);
  });

  it('[WS-2] null is as good as nothing in a message and in a request for a token', async () => {
    const { status, body } = await postJson(
      server,
      '/auth/token',
      { clientId: 'a', room: 'chat', expiresIn: null, scope: null, metadata: null },
      ISSUER_KEY,
    );
    assert.equal(status, 200);
    const left = Number(body.expiresAt) - Date.now();
    assert.ok(left > 3_500_000 && left <= 3_600_000, `${left} ms`);
    const a = await knock(server, `/chat?token=${String(body.token)}`);
    await a.next(isType('welcome'));
    const b = await enter(server, 'chat', { clientId: 'b' });
    a.send({ type: null, content: 'hello', metadata: null });
    const { content, ...rest } = await b.next(isType('message'));
    assert.equal(content, 'hello');
    assert.deepEqual(Object.keys(rest).sort(), ['from', 'id', 'timestamp', 'type']);
  });

  it('[WS-2] a push and a request for a token need no Content-Type', async () => {
    const post = async (path: string, bearer: string, body: string, headers: Record<string, string> = {}) => {
      const init = { method: 'POST', headers: { authorization: `Bearer ${bearer}`, ...headers }, body };
      const response = await fetch(`${server.url}${path}`, init);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const request = JSON.stringify({ clientId: 'a', room: 'plain' });
    // As fetch and as curl name the body where nobody tells them.
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const headers of [{}, form]) {
      const minted = await post('/auth/token', ISSUER_KEY, request, headers);
      assert.equal(minted.status, 200);
      const member = await enter(server, 'plain');
      const pushed = await post('/plain/postcontent', String(minted.body.token), '{"content":1}', headers);
      assert.deepEqual(pushed, { status: 200, body: { success: true, clientCount: 1 } });
      await member.next(({ content }) => content === 1);
      await member.close();
      const bad = await post('/plain/postcontent', String(minted.body.token), 'content=1', headers);
      assert.equal(bad.status, 400);
    }
  });

  it('[WS-3] null is as good as nothing in a validation', async () => {
    const socket = await openSocket(`${server.url}/?serviceId=s&hwid=h&key=k`);
    socket.send({ type: 'validate', serviceId: null, hwid: null, key: null });
    assert.equal((await socket.next(isType('validation_response'))).success, false);
  });

  it('[WS-4] null is as good as nothing in a subscription', async () => {
    const broker = await openMb(`${server.url}/mb?token=${token}`);
    const { payload } = await broker.ask('system.topic.subscribe', { topic: 'n', action: null });
    assert.deepEqual(payload, { status: 'success' });
    broker.send({ topic: 'n' }, 1);
    await broker.next(({ header }) => header.action === 'publish' && header.topic === 'n');
  });
});
