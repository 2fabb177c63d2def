import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import type { RoomMessage } from '../../shared/events.ts';
import { HMAC_SECRET, isType, push, roomToken } from './echo.ts';
import { openMb } from './mb.ts';
import type { TestServer } from './server.ts';
import { until } from './until.ts';
import { openSocket } from './websocket.ts';

const JWT_SECRET = 'the JWT secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });

/** Settings under which every dialect is on. */
export const ALL_DIALECTS_ENV = { JWT_SECRET, HMAC_SECRET, HTTP_RATE: '10000', MESSAGE_RATE: '1000' };

/** A client in one room, whatever it speaks. */
export interface RoomClient {
  /** Publishes to the room. */
  send(data: unknown): void | Promise<void>;
  /** The messages of the room so far, in the form of its dialect. */
  messages(): readonly Record<string, unknown>[];
  /** Their payloads. */
  payloads(): readonly unknown[];
  close(): Promise<void> | void;
}

type Open = (server: TestServer, room: string, options?: { subscribe?: boolean }) => Promise<RoomClient>;

const openNexus: Open = async (server, room, { subscribe = true } = {}) => {
  const token = await jwts.issue({ userId: 'nexus-user', role: 'agent' });
  const socket = await openSocket(`${server.url}/ws?token=${token}`);
  if (subscribe) {
    socket.send({ action: 'subscribe', channel: room });
    await socket.next(isType('subscribed'));
  }
  const messages = () => socket.messages.filter(({ type }) => type === 'message' || type === 'broadcast');
  return {
    send: (data) => socket.send({ action: 'publish', channel: room, payload: data }),
    messages,
    payloads: () => messages().map(({ data }) => data),
    close: socket.close,
  };
};

const openEcho: Open = async (server, room) => {
  const socket = await openSocket(
    `${server.url}/rooms/${room}?token=${roomToken(room, { clientId: 'echo-client' })}`,
  );
  await socket.next(isType('welcome'));
  const messages = () => socket.messages.filter(isType('message'));
  return {
    send: (data) => socket.send({ type: 'message', content: data }),
    messages,
    payloads: () => messages().map(({ content }) => content),
    close: socket.close,
  };
};

const openBroker: Open = async (server, room, { subscribe = true } = {}) => {
  const token = await jwts.issue({ userId: 'mb-user', role: 'agent' });
  const client = await openMb(`${server.url}/mb?token=${token}`);
  if (subscribe) await client.subscribe(room);
  const messages = () =>
    client.frames
      .filter(({ header }) => header.action === 'publish')
      .map(({ line, payload }) => ({ line, payload }));
  return {
    send: (data) => void client.send({ topic: room }, data),
    messages,
    payloads: () => messages().map(({ payload }) => payload),
    close: client.close,
  };
};

const openSocketIo: Open = async (server, room, { subscribe = true } = {}) => {
  const token = await jwts.issue({ userId: 'io-user', role: 'agent' });
  const socket = server.client();
  const messages: RoomMessage[] = [];
  socket.on('room_message', (message) => messages.push(message));
  socket.connect();
  await until(() => socket.connected);
  const loose = socket as unknown as {
    emitWithAck(event: string, request: object): Promise<{ ok: boolean }>;
  };
  const ask = async (event: string, request: object): Promise<void> => {
    const answer = await loose.emitWithAck(event, request);
    if (!answer.ok) throw new Error(JSON.stringify(answer));
  };
  await ask('join_room', { room, token });
  if (!subscribe) await ask('leave_room', { room });
  return {
    send: (data) => ask('publish_room', { room, data }),
    messages: () => messages.map((message) => ({ ...message })),
    payloads: () => messages.map(({ data }) => data),
    close: () => void socket.disconnect(),
  };
};

/** A sender that is no member: `POST /rooms/ROOM/post`. */
const openHttp: Open = async (server, room) => ({
  async send(data) {
    const { status } = await push(server, room, { content: data });
    if (status !== 200) throw new Error(`HTTP ${status}`);
  },
  messages: () => [],
  payloads: () => [],
  close() {},
});

export const RECEIVERS: Readonly<Record<string, Open>> = {
  Nexus: openNexus,
  Echo: openEcho,
  MB: openBroker,
  'Socket.IO': openSocketIo,
};
export const SENDERS: Readonly<Record<string, Open>> = { ...RECEIVERS, HTTP: openHttp };
