import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** What one would write oneself for a room: each message that comes in goes to every member, with a send a member. */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
const members = new Set<WebSocket>();

server.on('connection', (socket) => {
  members.add(socket);
  socket.on('close', () => members.delete(socket));
  socket.on('message', (message) => {
    const { payload } = JSON.parse(String(message)) as { payload?: unknown };
    if (payload === undefined) return;
    const text = JSON.stringify({
      type: 'message',
      channel: 'bench',
      from: 'publisher',
      data: payload,
      timestamp: new Date().toISOString(),
    });
    for (const member of members) member.send(text);
  });
});
server.on('listening', () => {
  process.send?.({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
process.on('disconnect', () => process.exit(0));
