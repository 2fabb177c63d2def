import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { WebSocket } from 'ws';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** A raw Socket.IO connection without a session: what is sent is what stands here. */
async function rawSocket(server: TestServer, connect = '40') {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const received: string[] = [];
  let closed = false;
  socket.on('message', (data) => received.push(String(data)));
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => {});
  await once(socket, 'open');
  if (connect !== '') {
    socket.send(connect);
    await until(() => received.some((packet) => packet.startsWith('40')));
  }
  return { socket, received, closed: () => closed };
}

const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('hostile Socket.IO packets', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({ AUTH_TIMEOUT: '60' });
  });
  after(() => server.stop());

  const packets: [what: string, packet: string][] = [
    ['an event `error` whose payload is no text', '2["error",{"toString":1,"valueOf":1}]'],
    ['an event `error` 100 000 levels deep', `2["error",${deep(100_000)}]`],
    ['any event 100 000 levels deep', `2["subscribe_logs",${deep(100_000)}]`],
    ['a binary event 100 000 levels deep', `51-["subscribe_logs",${deep(100_000)}]`],
    ['an event named __proto__', '2["__proto__",{"__proto__":{"polluted":1}}]'],
    ['an event named constructor', '2["constructor",{"constructor":{"prototype":{"polluted":1}}}]'],
    ['an event named toString', '2["toString"]'],
    ['a service that is no text', '21["subscribe_logs",{"service":{"toString":1}}]'],
    ['more attachments than ever come', '5100000000-["x",{"_placeholder":true,"num":0}]'],
    ['an answer that nobody asked for', '39999[1]'],
  ];
  for (const [what, packet] of packets) {
    it(`[SIO-7] [S14] ${what} harms nobody else`, async () => {
      const other = await rawSocket(server);
      const { socket } = await rawSocket(server);
      socket.send(`4${packet}`);
      socket.send(Buffer.from('attachment'));
      other.socket.send('42["no_such_event"]');
      await until(() => other.received.some((text) => text.includes('unknown_event')));
      assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
      assert.equal(({} as { polluted?: number }).polluted, undefined);
      assert.equal(other.closed(), false);
      socket.terminate();
      other.socket.terminate();
    });
  }

  it('[WS-5] a flood of pings or pongs ends its connection', async () => {
    for (const flood of ['ping', 'pong'] as const) {
      const { socket, closed } = await rawSocket(server);
      for (let n = 0; n < 300; n++) {
        if (flood === 'ping') socket.ping();
        else socket.send('3');
      }
      // Long before AUTH_TIMEOUT would.
      await until(closed);
    }
  });
});

describe('hostile connections', () => {
  /** Enough for the watch to renew a session in time also where the machine is busy. */
  const SESSION_TTL_S = 3;
  const outliveTtl = () => new Promise((resolve) => setTimeout(resolve, SESSION_TTL_S * 1000 + 300));
  let server: TestServer;
  before(async () => {
    server = await startServer({ SESSION_TTL: String(SESSION_TTL_S), AUTH_TIMEOUT: '1' });
  });
  after(() => server.stop());

  it('[S4] a client that resets its connection during a refused upgrade harms nobody', async () => {
    const { hostname, port } = new URL(server.url);
    const upgrade = (path: string) =>
      [
        `GET ${path} HTTP/1.1`,
        'Host: a',
        'Origin: http://evil.example',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        '\r\n',
      ].join('\r\n');
    for (let n = 0; n < 60; n++) {
      const socket = createConnection(Number(port), hostname);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(upgrade(n % 2 ? '/nothing/here' : '/socket.io/?EIO=4&transport=websocket'));
      socket.resetAndDestroy();
    }
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  });

  it('[S4] a client that takes no part in closing is cut all the same', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = createConnection(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      [
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
        'Host: a',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        '\r\n',
      ].join('\r\n'),
    );
    await once(socket, 'data');
    socket.resume();
    // The masked frame of a CONNECT packet; nothing is sent afterwards, no close frame either.
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
    let closed = false;
    socket.once('close', () => {
      closed = true;
    });
    await until(() => closed, 6000);
  });

  it('[WS-5] [S5] a foreign Origin is refused on every request of a connection, not only on its first', async () => {
    const path = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const foreign = { origin: 'http://evil.example' };
    const { sid } = JSON.parse((await (await fetch(path)).text()).slice(1)) as { sid: string };
    const post = (headers: Record<string, string>, name = 'sid') =>
      fetch(`${path}&${name}=${sid}`, { method: 'POST', body: '40', headers });
    assert.equal((await post(foreign)).status, 403);
    assert.equal((await post(foreign, '%73id')).status, 403);
    assert.equal((await post({})).status, 200);
    assert.equal((await fetch(`${path}&sid=${sid}`, { headers: foreign })).status, 403);
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
      { headers: foreign },
    );
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /403/);
  });

  it('[WS-5] [S6] tokens cannot be tried without end on one connection', async () => {
    const { socket, received, closed } = await rawSocket(server, '');
    for (let n = 0; n < 2000; n++) socket.send(`40{"token":"guess-${n}"}`);
    await until(closed);
    assert.ok(received.length < 50, `${received.length} answers`);
  });

  it('[SIO-8] a connection that leaves while it logs in does not keep its session alive', async () => {
    const { token } = await server.login({ demo: true });
    const path = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(path)).text()).slice(1)) as { sid: string };
    const post = (body: string) => fetch(`${path}&sid=${sid}`, { method: 'POST', body });
    await post('40');
    await post(`42["authenticate","${token}"]\x1e41`);
    const headers = { authorization: `Bearer ${token}` };
    // Asking earlier would be a use that renews it.
    await outliveTtl();
    assert.equal((await fetch(`${server.url}/api/session`, { headers })).status, 401);
  });

  it('[SIO-8] a connection that leaves does not end the watch over a session that another one uses', async () => {
    const { token } = await server.login({ demo: true });
    const [leaving, staying] = [server.client({ auth: { token } }), server.client({ auth: { token } })];
    const reasons: string[] = [];
    staying.on('session_ended', ({ reason }) => reasons.push(reason));
    let logins = 0;
    for (const socket of [leaving, staying]) socket.on('authenticated', () => logins++).connect();
    await until(() => logins === 2);
    leaving.disconnect();
    // Only the watch renews it.
    await outliveTtl();
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${server.url}/api/session`, { headers })).status, 200);
    await fetch(`${server.url}/api/session`, { method: 'DELETE', headers });
    await until(() => reasons.length > 0);
    assert.deepEqual(reasons, ['logout']);
  });
});
