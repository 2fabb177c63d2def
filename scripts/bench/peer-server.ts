import { createServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { type WebSocket, WebSocketServer } from 'ws';
import { restoreFastStrings } from '../../server/core/fast-strings.ts';
import { now } from './clock.ts';
import { gethLine } from './lines.ts';

/**
 * What one would write oneself: Socket.IO, with or without its Redis adapter, an event a line; or `ws`, a send a line and
 * socket. Publishes lines on request. Started by `startNodePeer`: argv is the kind and the URL of a Redis.
 */
const [kind = 'ws', redisUrl = ''] = process.argv.slice(2);
/** Unsent bytes of a socket over which publishing waits, as a careful author would have it. */
const UNSENT_MAX = 262_144;
/** Lines published without letting the event loop turn. */
const STEP = 8;

// None of them is to be slower than Tailwire because of what ioredis does to text.
restoreFastStrings();
const server = createServer();
const sockets = new Set<TcpSocket>();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function createPublisher(): (line: string) => void {
  if (kind === 'ws') {
    const members = new Set<WebSocket>();
    const wss = new WebSocketServer({ server, perMessageDeflate: false });
    wss.on('connection', (socket) => {
      members.add(socket);
      socket.on('close', () => members.delete(socket));
    });
    return (line) => {
      const text = JSON.stringify({ service: 'execution', line });
      for (const member of members) member.send(text);
    };
  }
  const io = new Server(server, {
    transports: ['websocket'],
    perMessageDeflate: false,
    httpCompression: false,
    serveClient: false,
  });
  if (kind === 'socket.io+redis') {
    const publisher = new Redis(redisUrl);
    io.adapter(createAdapter(publisher, publisher.duplicate()));
  }
  io.on('connection', (socket) => socket.join('execution'));
  return (line) => io.to('execution').emit('log_data', { service: 'execution', line });
}

const publish = createPublisher();

async function drained(): Promise<void> {
  for (;;) {
    let most = 0;
    for (const socket of sockets) most = Math.max(most, socket.writableLength);
    if (most < UNSENT_MAX) return;
    await turn();
  }
}

async function burst(from: number, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    publish(gethLine(from + n));
    if (n % STEP !== STEP - 1) continue;
    await turn();
    await drained();
  }
}

async function paced(from: number, count: number, rate: number): Promise<void> {
  const since = now();
  for (let n = 0; n < count; ) {
    const due = Math.min(count, Math.floor(((now() - since) * rate) / 1000) + 1);
    while (n < due) publish(gethLine(from + n++));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Request {
  do: string;
  from: number;
  count: number;
  rate: number | null;
}

process.on('message', (request: Request) => {
  if (request.do !== 'publish') return;
  const { from, count, rate } = request;
  const started = now();
  void (rate === null ? burst(from, count) : paced(from, count, rate)).then(() =>
    process.send?.({ kind: 'published', started }),
  );
});
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.send?.({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
