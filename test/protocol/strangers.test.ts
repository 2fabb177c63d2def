import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { IDLE_LIMITS } from '../../server/http/connection-guard.ts';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';
import { UNKNOWN_LIMITS } from '../../server/socketio/admission.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const HMAC_SECRET = 'the room secret of these tests';
/** Connections that are opened at a time. */
const OPENING = 100;

describe('connections that do not say who they are', () => {
  let server: TestServer;
  let token: string;
  const open: { destroy(): void }[] = [];

  before(async () => {
    // Nobody is cut by the time-out here.
    server = await startServer({ AUTH_TIMEOUT: '300', TRUST_PROXY: '1', HMAC_SECRET });
    ({ token } = await server.login({ demo: true }));
  });
  afterEach(async () => {
    for (const one of open.splice(0)) one.destroy();
    await until(async () => (await metric('tailwire_unknown_connections{kind="socketio"}')) === 0);
  });
  after(() => server?.stop());

  async function metric(name: string, from = server): Promise<number> {
    const rows = (await (await fetch(`${from.url}/metrics`)).text()).split('\n');
    return Number(
      rows
        .find((row) => row.startsWith(name))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  }

  async function inTurns<T>(count: number, make: () => Promise<T>): Promise<T[]> {
    const made: T[] = [];
    while (made.length < count)
      made.push(...(await Promise.all(Array.from({ length: Math.min(OPENING, count - made.length) }, make))));
    return made;
  }

  interface Viewer {
    ws: WebSocket;
    /** Packets as they came. */
    packets: string[];
  }
  /** A Socket.IO connection from an address, joined with a token or without. */
  async function join(from: string, auth = ''): Promise<Viewer> {
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      headers: { 'x-forwarded-for': from },
    });
    open.push({ destroy: () => ws.terminate() });
    const packets: string[] = [];
    ws.on('message', (data) => packets.push(String(data)));
    await once(ws, 'open');
    ws.send(`40${auth}`);
    await until(() => packets.some((packet) => packet.startsWith('40')));
    return { ws, packets };
  }
  const isOpen = ({ ws }: Viewer) => ws.readyState === ws.OPEN;

  it('[SIO-1] beyond 1000 of one address the oldest end, and nobody else is touched', async () => {
    const from = '203.0.113.1';
    const known = await join(from, JSON.stringify({ token }));
    const elsewhere = await join('203.0.113.2');
    const began = performance.now();
    const crowd = await inTurns(UNKNOWN_LIMITS.calm, () => join(from));
    assert.ok([known, elsewhere, ...crowd].every(isOpen), 'as many as may wait do');
    assert.equal(await metric('tailwire_unknown_connections{kind="socketio"}'), UNKNOWN_LIMITS.calm + 1);
    // The first of the crowd has to have had its time.
    await until(() => performance.now() - began > UNKNOWN_LIMITS.patienceMs + 1000);
    const late = await join(from);
    const [first, second] = crowd;
    assert.ok(first && second);
    await until(() => !isOpen(first));
    assert.ok(first.packets.some((packet) => packet.includes('"code":"too_many_connections"')));
    assert.ok([known, elsewhere, late, second].every(isOpen));
    assert.equal(await metric('tailwire_turned_out_total{kind="socketio"}'), 1);
  });

  it('[SIO-1] as many as come at once with a token stay', async () => {
    const from = '203.0.113.3';
    const viewers = await inTurns(UNKNOWN_LIMITS.calm + 200, () => join(from, JSON.stringify({ token })));
    await until(() => viewers.every(({ packets }) => packets.some((one) => one.includes('"authenticated"'))));
    assert.ok(viewers.every(isOpen));
    assert.equal(await metric('tailwire_unknown_connections{kind="socketio"}'), 0);
  });

  it('[SIO-1] whoever authenticates later is not counted any more, nor who shows a room token', async () => {
    const viewer = await join('203.0.113.4');
    assert.equal(await metric('tailwire_unknown_connections{kind="socketio"}'), 1);
    viewer.ws.send(`42["authenticate",${JSON.stringify(token)}]`);
    await until(async () => (await metric('tailwire_unknown_connections{kind="socketio"}')) === 0);
    const room = { clientId: 'x', room: 'y', expiresInS: 60 };
    const member = await join('203.0.113.4');
    assert.equal(await metric('tailwire_unknown_connections{kind="socketio"}'), 1);
    const { token: roomToken } = createRoomTokens({ secret: HMAC_SECRET }).issue(room);
    member.ws.send(`42["join_room",${JSON.stringify({ room: 'y', token: roomToken })}]`);
    await until(async () => (await metric('tailwire_unknown_connections{kind="socketio"}')) === 0);
    const refused = await join('203.0.113.4');
    refused.ws.send('42["authenticate","wrong"]');
    await until(() => refused.packets.some((packet) => packet.includes('invalid_session')));
    assert.equal(await metric('tailwire_unknown_connections{kind="socketio"}'), 1);
  });

  describe('before they have asked for anything', () => {
    let plain: TestServer;
    before(async () => {
      plain = await startServer();
    });
    after(() => plain?.stop());

    async function idle(first = ''): Promise<Socket> {
      const socket = connect(Number(new URL(plain.url).port), '127.0.0.1');
      open.push(socket);
      socket.on('error', () => {});
      await once(socket, 'connect');
      if (first !== '') socket.write(first);
      return socket;
    }

    it('[HTTP-2] beyond 2000 of one address those that did nothing end, those being answered do not', async () => {
      const began = performance.now();
      const crowd = await inTurns(IDLE_LIMITS.calm, () => idle('GET / HTTP/1.1\r\n'));
      const count = async () => metric('tailwire_unknown_connections{kind="http"}', plain);
      await until(async () => (await count()) >= IDLE_LIMITS.calm);
      await until(() => performance.now() - began > IDLE_LIMITS.patienceMs + 500);
      const [first] = crowd;
      assert.ok(first);
      const late = await idle('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      const [answer] = await once(late, 'data');
      assert.match(String(answer), /^HTTP\/1.1 200/);
      await until(() => first.closed);
      assert.ok(crowd.slice(-100).every(({ closed }) => !closed));
      assert.ok((await metric('tailwire_turned_out_total{kind="http"}', plain)) > 0);
    });

    it('[HTTP-2] upgraded and answered connections are not among them', async () => {
      await until(async () => (await metric('tailwire_unknown_connections{kind="http"}', plain)) < 10);
      const before = await metric('tailwire_unknown_connections{kind="http"}', plain);
      const url = `${plain.url.replace('http', 'ws')}/?serviceId=a&hwid=b&key=c`;
      const sockets = await inTurns(50, async () => {
        const ws = new WebSocket(url);
        open.push({ destroy: () => ws.terminate() });
        await once(ws, 'open');
        return ws;
      });
      assert.equal(sockets.length, 50);
      assert.ok((await metric('tailwire_unknown_connections{kind="http"}', plain)) <= before + 2);
    });
  });
});
