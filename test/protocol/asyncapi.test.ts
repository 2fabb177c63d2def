import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';
import { type AsyncApi, createAsyncApi } from '../../server/http/docs/asyncapi.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { enter, HMAC_SECRET, isType } from '../support/echo.ts';
import { createSchemaCheck, danglingRefs } from '../support/json-schema.ts';
import { openMb } from '../support/mb.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { openSocket } from '../support/websocket.ts';

const JWT_SECRET = 'the secret of these tests';

describe('AsyncAPI document', () => {
  let server: TestServer;
  let document: AsyncApi;
  let check: (key: string, value: unknown) => void;

  before(async () => {
    server = await startServer({ HMAC_SECRET, JWT_SECRET });
    document = (await (await fetch(`${server.url}/docs/asyncapi.json`)).json()) as AsyncApi;
    const fits = createSchemaCheck(document);
    check = (key, value) => {
      const message = document.components.messages[key];
      assert.ok(message, `${key} is not in the document`);
      fits(message.payload, value, key);
    };
  });
  after(() => server?.stop());

  it('[HTTP-1] is valid AsyncAPI 3', async () => {
    assert.deepEqual(danglingRefs(document), []);
    const parsed = await new Parser().parse(JSON.stringify(createAsyncApi('1.0.0')));
    assert.deepEqual(parsed.diagnostics, []);
    assert.ok(parsed.document);
  });

  it('[HTTP-1] names every event of the typed maps, and no other', async () => {
    const source = await readFile('shared/events.ts', 'utf8');
    for (const [map, prefix] of [
      ['ClientToServerEvents', 'client-'],
      ['ServerToClientEvents', 'server-'],
    ] as const) {
      const body = source.split(`export interface ${map} {`)[1]?.split('\n}')[0] ?? '';
      const events = [...body.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
      const named = Object.keys(document.channels.socketio?.messages ?? {})
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
      assert.ok(events.length >= 10);
      assert.deepEqual(named.sort(), events.sort());
    }
  });

  it('[HTTP-1] is true about Socket.IO: every payload and ack fits', async () => {
    const { token } = await server.login({ demo: true });
    const socket = server.client({ auth: { token } });
    const seen = new Set<string>();
    const wrong: unknown[] = [];
    socket.onAny((event: string, payload: unknown) => {
      seen.add(event);
      try {
        check(`socketio.server-${event}`, payload);
      } catch (error) {
        wrong.push(error);
      }
    });
    socket.connect();
    await until(() => seen.has('authenticated'));
    const ask = async (event: string, request: unknown) => {
      check(`socketio.client-${event}`, request ?? null);
      const answer: unknown = await (
        socket as unknown as { emitWithAck(...args: unknown[]): Promise<unknown> }
      ).emitWithAck(event, ...(request === undefined ? [] : [request]));
      check(`socketio.ack-${event}`, answer);
    };
    await ask('authenticate', token);
    await ask('subscribe_logs', { service: 'execution' });
    await ask('subscribe_logs', { service: 'consensus', batch: true });
    await ask('subscribe_logs', { service: 'sshd' });
    await ask('log_history', { service: 'execution', limit: 5 });
    await ask('subscribe_status', { interval: 1000 });
    await ask('join_room', { room: 'a' });
    await ask('room_presence', { room: 'a' });
    const other = server.client({ auth: { token } });
    other.connect();
    await until(() => other.connected);
    await other.emitWithAck('join_room', { room: 'a' });
    await other.emitWithAck('publish_room', { room: 'a', data: { x: 1 } });
    await ask('publish_room', { room: 'a', data: 1 });
    await until(() =>
      ['log_data', 'log_batch', 'status_update', 'room_message'].every((one) => seen.has(one)),
    );
    await ask('leave_room', { room: 'a' });
    await ask('unsubscribe_logs', { service: 'execution' });
    await ask('unsubscribe_status', undefined);
    await fetch(`${server.url}/api/session`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    await until(() => seen.has('session_ended'));
    assert.deepEqual(wrong, []);
  });

  it('[HTTP-1] is true about the plain dialects', async () => {
    const jwt = await createJwts({ secret: JWT_SECRET }).issue({ userId: 'u', role: 'agent' });
    const nexus = await openSocket(`${server.url}/ws?token=${jwt}`);
    for (const action of ['subscribe', 'publish', 'unsubscribe', 'ping', 'nonsense']) {
      nexus.send({ action, channel: 'c', payload: { x: 1 } });
    }
    await nexus.next(isType('pong'));
    await until(() => nexus.messages.length >= 6);
    const echo = await enter(server, 'lobby');
    const listener = await enter(server, 'lobby', { clientId: 'client-2' });
    echo.send({ type: 'ack' });
    echo.send('{');
    echo.send({ content: 'x' });
    await listener.next(isType('message'));
    await until(() => echo.messages.length >= 3);
    const key = await openSocket(`${server.url}/?serviceId=s&hwid=h&key=k`);
    for (const type of ['heartbeat', 'validate', 'nonsense']) key.send({ type });
    await until(() => key.messages.length >= 4);
    for (const [channel, messages] of [
      ['nexus', nexus.messages],
      ['echo', [...echo.messages, ...listener.messages]],
      ['keyValidation', key.messages],
    ] as const) {
      for (const message of messages) check(`${channel}.server-${String(message.type)}`, message);
    }
    const mb = await openMb(`${server.url}/mb?token=${jwt}`);
    const done = await mb.ask('system.topic.subscribe', { topic: 'a' });
    check('mb.server-success', done.payload);
    check('mb.server-error', (await mb.ask('system.nothing', {})).payload);
    await Promise.all([nexus.close(), echo.close(), listener.close(), key.close(), mb.close()]);
  });
});
