import assert from 'node:assert/strict';
import { once } from 'node:events';
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
    server = await startServer({ AUTH_TIMEOUT: '5' });
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
});
