import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import net from 'node:net';
import { json } from 'node:stream/consumers';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { HMAC_SECRET, roomToken } from '../support/echo.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';
import { openSocket, type TestSocket, upgradeStatus } from '../support/websocket.ts';

const JWT_SECRET = 'a long secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });
const type = (wanted: string) => (message: Record<string, unknown>) => message.type === wanted;

/** A masked client frame (RFC 6455 section 5.2) with a mask of zeros, so that the payload stands in it as it is. */
function frame(first: number, payload: Buffer | string, length?: number): Buffer {
  const body = Buffer.from(payload);
  const size = length ?? body.length;
  const head = size < 126 ? Buffer.from([first, 0x80 | size]) : Buffer.alloc(size < 65_536 ? 4 : 10);
  if (size >= 126) {
    head[0] = first;
    head[1] = 0x80 | (size < 65_536 ? 126 : 127);
    if (size < 65_536) head.writeUInt16BE(size, 2);
    else head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

describe('the common ground of plain WebSocket dialects', () => {
  let server: TestServer;
  let url: string;
  let token: string;

  const connect = async (options?: Parameters<typeof openSocket>[1]): Promise<TestSocket> => {
    const socket = await openSocket(url, options);
    await socket.next(type('connected'));
    return socket;
  };

  /** A connection whose frames are made by hand; collects what the server sends. */
  async function connectRaw(): Promise<{ socket: net.Socket; received: () => Buffer; ended: () => boolean }> {
    const { hostname, port } = new URL(server.url);
    const socket = net.connect(Number(port), hostname);
    const parts: Buffer[] = [];
    let ended = false;
    socket.on('data', (data) => parts.push(data));
    socket.on('error', () => {});
    socket.on('close', () => {
      ended = true;
    });
    await once(socket, 'connect');
    const path = url.slice(server.url.length);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await until(() => Buffer.concat(parts).includes('Welcome to Nexus'));
    parts.length = 0;
    return { socket, received: () => Buffer.concat(parts), ended: () => ended };
  }

  /** The code of the close frame that ends what the server sent. */
  const closeCode = (bytes: Buffer): number | null => {
    const at = bytes.lastIndexOf(0x88);
    return at < 0 ? null : bytes.readUInt16BE(at + 2);
  };

  before(async () => {
    server = await startServer({ JWT_SECRET, HMAC_SECRET, MAX_PAYLOAD_BYTES: '65536', MESSAGE_RATE: '50' });
    token = await jwts.issue({ userId: 'u', role: 'agent' });
    url = `${server.url}/ws?token=${token}`;
  });
  after(() => server.stop());

  it('[WS-0] paths that belong to nobody answer 404', async () => {
    for (const path of ['/nothing/here/at/all', '/%']) {
      assert.equal(await upgradeStatus(`${server.url}${path}?token=${token}`), 404, path);
    }
  });

  /** Asks for an upgrade that is refused, with these headers beside or instead of good ones. */
  async function knock(path: string, instead: Record<string, string> = {}, method = 'GET') {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      ...instead,
    };
    const asked = request(`${server.url}${path}`, { method, headers }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const { error } = (await json(response)) as { error: Record<string, unknown> };
    assert.equal(response.headers['content-type'], 'application/json');
    assert.match(String(error.requestId), /^[0-9a-f-]{36}$/);
    assert.equal(response.headers['x-request-id'], error.requestId);
    return { status: response.statusCode, headers: response.headers, code: error.code };
  }

  it('[HTTP-2] [WS-5] a refusal is an HTTP error with the request id of the log', async () => {
    const { status, headers, code } = await knock('/ws');
    assert.equal(status, 401);
    assert.equal(headers['www-authenticate'], 'Bearer');
    assert.equal(code, 'not_authenticated');
  });

  for (const [name, path] of [
    ['Nexus', () => `/ws?token=${token}`],
    ['Message Broker', () => `/mb?token=${token}`],
    ['Echo rooms', () => `/radio?token=${roomToken('radio')}`],
    ['key validation', () => '/?serviceId=s&hwid=h&key=k'],
    ['Socket.IO', () => '/socket.io/?EIO=4&transport=websocket'],
    ['Socket.IO at the path /', () => '/?EIO=4&transport=websocket'],
  ] as const) {
    it(`[WS-5] [HTTP-2] ${name} refuses a foreign Origin with 403, and what is no handshake with 400, in JSON`, async () => {
      for (const origin of ['https://evil.example', 'null', 'http://localhost:3000.evil.example']) {
        const { status, code } = await knock(path(), { origin });
        assert.deepEqual([status, code], [403, 'origin_not_allowed'], origin);
      }
      const faults = [
        { 'sec-websocket-key': 'short' },
        { 'sec-websocket-version': '99' },
        { 'sec-websocket-protocol': 'a,,b' },
      ];
      for (const fault of faults) {
        const { status, code, headers } = await knock(path(), fault);
        assert.deepEqual([status, code], [400, 'invalid_request'], JSON.stringify(fault));
        assert.equal(headers['sec-websocket-version'], '13, 8');
      }
    });
  }

  it('[WS-5] [HTTP-2] an upgrade by another method than GET is 405', async () => {
    const { status, code, headers } = await knock('/?key=k', {}, 'POST');
    assert.deepEqual([status, code, headers.allow], [405, 'method_not_allowed', 'GET']);
  });

  it('[WS-5] a message above MAX_PAYLOAD_BYTES closes with 1009, one as large passes', async () => {
    const socket = await connect();
    const shell = JSON.stringify({ action: 'publish', channel: 'a', payload: '' }).length;
    socket.send({ action: 'publish', channel: 'a', payload: 'x'.repeat(65_536 - shell) });
    socket.send({ action: 'ping' });
    await socket.next(type('pong'));
    socket.send('x'.repeat(65_537));
    await until(() => socket.closed);
    assert.equal(socket.closed?.code, 1009);
  });

  const violations: [string, Buffer, number][] = [
    ['a text message that is not UTF-8', frame(0x81, Buffer.from([0x22, 0xff, 0x22])), 1007],
    ['a frame that is not masked', Buffer.from([0x81, 0x01, 0x41]), 1002],
    ['a reserved bit', frame(0xc1, 'x'), 1002],
    ['a reserved opcode', frame(0x83, 'x'), 1002],
    ['a continuation of nothing', frame(0x80, 'x'), 1002],
    ['a fragmented ping', frame(0x09, 'x'), 1002],
    ['a ping of 126 bytes', frame(0x89, 'x'.repeat(126)), 1002],
    ['the announcement of a huge frame', frame(0x81, '', 100 * 1024 * 1024), 1009],
    ['a close frame with half a code', frame(0x88, 'x'), 1002],
    ['a close frame with a reserved code', frame(0x88, Buffer.from([0x03, 0xed])), 1002],
  ];
  for (const [name, bytes, code] of violations) {
    it(`[WS-5] ${name} closes with ${code}`, async () => {
      const { socket, received, ended } = await connectRaw();
      socket.write(bytes);
      await until(() => closeCode(received()) !== null);
      assert.equal(closeCode(received()), code);
      socket.end();
      await until(ended);
    });
  }

  it('[WS-5] a message in very many fragments closes its connection and harms no other', async () => {
    const good = await connect();
    const { socket, received, ended } = await connectRaw();
    const fragments = Array.from({ length: 100_000 }, (_, n) => frame(n === 0 ? 0x01 : 0x00, ''));
    socket.write(Buffer.concat(fragments));
    await until(() => closeCode(received()) !== null);
    assert.equal(closeCode(received()), 1008);
    socket.destroy();
    await until(ended);
    good.send({ action: 'ping' });
    await good.next(type('pong'));
    await good.close();
  });

  it('[WS-5] a message in some fragments, with a ping between them, is one message', async () => {
    const { socket, received } = await connectRaw();
    socket.write(Buffer.concat([frame(0x01, '{"action":'), frame(0x89, 'between'), frame(0x80, '"ping"}')]));
    await until(() => received().includes('"type":"pong"'));
    assert.ok(received().includes('between'));
    socket.destroy();
  });

  it('[WS-5] a client over MESSAGE_RATE gets one error, and is closed with 4429 if it goes on', async () => {
    const [fast, other] = [await connect(), await connect()];
    for (let n = 0; n < 400; n += 1) fast.send({ action: 'ping' });
    await until(() => fast.closed);
    assert.equal(fast.closed?.code, 4429);
    const errors = fast.messages.filter(type('error'));
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['rate_limited'],
    );
    other.send({ action: 'ping' });
    await other.next(type('pong'));
    await other.close();
  });

  it('[WS-5] pings count as messages', async () => {
    const { socket, received } = await connectRaw();
    socket.write(Buffer.concat(Array.from({ length: 1000 }, () => frame(0x89, ''))));
    await until(() => closeCode(received()) === 4429);
    socket.destroy();
  });

  it('[WS-5] permessage-deflate is used only where it is asked for, and both kinds get the same', async () => {
    const plain = await connect();
    const deflated = await connect({ perMessageDeflate: true });
    assert.deepEqual([plain.ws.extensions, deflated.ws.extensions], ['', 'permessage-deflate']);
    const payload = 'the same again and again '.repeat(400);
    for (const socket of [plain, deflated]) {
      socket.send({ action: 'subscribe', channel: 'deflate' });
      await socket.next(type('subscribed'));
    }
    for (let n = 0; n < 3; n += 1)
      deflated.send({ action: 'publish', channel: 'deflate', payload: payload + n });
    for (const socket of [plain, deflated]) {
      for (let n = 0; n < 3; n += 1) assert.equal((await socket.next(type('message'))).data, payload + n);
    }
    await Promise.all([plain.close(), deflated.close()]);
  });

  it('[WS-5] a compressed message that grows above MAX_PAYLOAD_BYTES closes with 1009', async () => {
    const socket = await connect({ perMessageDeflate: true });
    socket.send(JSON.stringify('0'.repeat(8_000_000)));
    await until(() => socket.closed);
    assert.equal(socket.closed?.code, 1009);
  });

  it('[HTTP-1] /health counts rooms and connections', async () => {
    const counts = async () =>
      (await (await fetch(`${server.url}/health`)).json()) as { rooms: number; clients: number };
    await until(async () => (await counts()).clients === 0);
    const socket = await connect();
    socket.send({ action: 'subscribe', channel: 'counted' });
    await socket.next(type('subscribed'));
    const { rooms, clients } = await counts();
    assert.deepEqual([rooms, clients], [1, 1]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /tailwire_sockets\{kind="nexus"\} 1/);
    await socket.close();
    await until(async () => (await counts()).rooms === 0);
  });

  it('[WS-5] a client that does not read is cut with 4408, and the others get everything', async () => {
    const large = await startServer({ JWT_SECRET, MESSAGE_RATE: '1000' });
    const at = `${large.url}/ws?token=${token}`;
    const [slow, good, publisher] = [await openSocket(at), await openSocket(at), await openSocket(at)];
    for (const socket of [slow, good]) {
      socket.send({ action: 'subscribe', channel: 'a' });
      await socket.next(type('subscribed'));
    }
    slow.ws.pause();
    const payload = 'x'.repeat(500_000);
    for (let n = 0; n < 60; n += 1) {
      publisher.send({ action: 'publish', channel: 'a', payload });
      await good.next(type('message'));
    }
    slow.ws.resume();
    await until(() => slow.closed, 8000);
    assert.equal(slow.closed?.code, 4408);
    assert.ok(slow.messages.filter(type('message')).length < 60);
    await large.stop();
  });

  it('[RUN-5] connections are closed with 1001 when the server stops', async () => {
    const ending = await startServer({ JWT_SECRET });
    const socket = await openSocket(`${ending.url}/ws?token=${token}`);
    await ending.stop();
    await until(() => socket.closed);
    assert.deepEqual(socket.closed, { code: 1001, reason: 'Server is restarting' });
  });
});

describe('the heartbeat of plain WebSocket connections', () => {
  let server: TestServer;

  before(async () => {
    server = await startServer({ JWT_SECRET, HEARTBEAT_INTERVAL: '100', CLIENT_TIMEOUT: '1000' });
  });
  after(() => server.stop());

  it('[WS-5] a client that answers pings stays, one that does not is cut after CLIENT_TIMEOUT', async () => {
    const token = await jwts.issue({ userId: 'u' });
    const alive = await openSocket(`${server.url}/ws?token=${token}`);
    const dead = await openSocket(`${server.url}/ws?token=${token}`, { autoPong: false });
    let pings = 0;
    alive.ws.on('ping', () => {
      pings += 1;
    });
    const began = performance.now();
    const fair = startStopwatch();
    await until(() => dead.closed);
    const took = performance.now() - began;
    assert.ok(took > 900 && fair() < 2100, `${took} ms`);
    assert.equal(dead.closed?.code, 4000);
    await until(() => pings >= 15);
    assert.equal(alive.closed, null);
    await alive.close();
  });
});

describe('dialects that are switched off', () => {
  it('[WS-0] answer 404 in production, and the start says so', async () => {
    const said: string[] = [];
    const log = (message: string) => void said.push(message);
    const logger = { debug() {}, info: log, warn: log, error: log, child: () => logger };
    const env = {
      NODE_ENV: 'production',
      EMBEDDED: '1',
      SESSION_SECRET: 'kept for this test only',
    };
    const server = await startServer(env, { logger });
    const token = await jwts.issue({ userId: 'u' });
    assert.equal(await upgradeStatus(`${server.url}/ws?token=${token}`), 404);
    assert.ok(said.includes('The nexus dialect is off: JWT_SECRET is not set.'));
    await server.stop();
  });
});
