import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createNodeServer } from '../../../server/http/node-server.ts';
import { type FakeHttp, startFakeHttp } from '../../support/fake-http.ts';
import { startStopwatch } from '../../support/stopwatch.ts';

/** More than the kernel takes on both sides of a connection, in bytes. */
const LARGE = Buffer.alloc(64 * 1024 * 1024);
/** Longer than a client that takes nothing may stay, in ms. */
const LONG_MS = 11_000;

/** A client that never ends its headers. @returns what it was answered, and after how many ms it was cut */
async function sendSlowly(port: number): Promise<{ text: string; took: number }> {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /health HTTP/1.1\r\nHost: x\r\n');
  const took = startStopwatch();
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return { text, took: took() };
}

describe('clients that are too slow', () => {
  let server: Server;
  const sockets: Socket[] = [];
  let http: FakeHttp;
  let sending: ReturnType<typeof sendSlowly>;

  before(async () => {
    server = createNodeServer((request, response) => {
      if (request.url === '/large') response.end(LARGE);
      else setTimeout(() => response.end('at last'), LONG_MS);
    }) as Server;
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Either takes some 10 s, so that they go on together.
    http = await startFakeHttp();
    sending = sendSlowly(http.port);
  });
  after(async () => {
    await http?.stop();
    server.closeAllConnections();
    server.close();
  });

  async function ask(path: string): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo;
    const request = get({ port, host: '127.0.0.1', path, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  it('[HTTP-2] are cut within 10 s where they take nothing, not where they read slowly or wait long', async () => {
    const waiting = ask('/late');
    const stuck = await ask('/large');
    stuck.on('error', () => {});
    const [, stuckEnd] = sockets;
    assert.ok(stuckEnd);
    const began = performance.now();
    const fair = startStopwatch();
    const slow = await ask('/large');
    const slowEnd = once(slow, 'end');
    let taken = 0;
    let isSlow = true;
    slow.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      if (!isSlow) return;
      slow.pause();
      setTimeout(() => slow.resume(), chunk.length / 4000);
    });
    await once(stuckEnd, 'close');
    const took = performance.now() - began;
    assert.ok(took > 4000 && fair() < LONG_MS, String(took));
    assert.ok(taken < LARGE.length, 'the slow one is still reading');
    isSlow = false;
    const answer = await waiting;
    assert.equal(answer.statusCode, 200);
    answer.resume();
    await slowEnd;
    assert.equal(taken, LARGE.length);
  });

  it('[HTTP-2] are ended where they send their headers too slowly', async () => {
    const { text, took } = await sending;
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.ok(took < 14_000, `${took} ms`);
  });
});
