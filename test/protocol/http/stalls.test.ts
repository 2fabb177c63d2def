import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createNodeServer } from '../../../server/http/node-server.ts';

/** More than the kernel takes on both sides of a connection, in bytes. */
const LARGE = Buffer.alloc(64 * 1024 * 1024);
/** Longer than a client that takes nothing may stay, in ms. */
const LONG_MS = 11_000;

describe('clients that do not take their answers', function () {
  this.timeout(30_000);
  let server: Server;
  const sockets: Socket[] = [];

  before(async () => {
    server = createNodeServer((request, response) => {
      if (request.url === '/large') response.end(LARGE);
      else setTimeout(() => response.end('at last'), LONG_MS);
    }) as Server;
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  async function ask(path: string): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo;
    const request = get({ port, host: '127.0.0.1', path, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  it('[HTTP-2] are cut within 10 s, those that read slowly are not, nor those that wait long', async () => {
    const waiting = ask('/late');
    const stuck = await ask('/large');
    stuck.on('error', () => {});
    const [, stuckEnd] = sockets;
    assert.ok(stuckEnd);
    const began = performance.now();
    const slow = await ask('/large');
    let taken = 0;
    slow.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      slow.pause();
      setTimeout(() => slow.resume(), chunk.length / 4000);
    });
    await once(stuckEnd, 'close');
    const took = performance.now() - began;
    assert.ok(took > 4000 && took < LONG_MS, String(took));
    const answer = await waiting;
    assert.equal(answer.statusCode, 200);
    answer.resume();
    await once(slow, 'end');
    assert.equal(taken, LARGE.length);
  });
});
