import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { enter, HMAC_SECRET, isType, type Message, push, roomToken } from '../support/echo.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { openSocket } from '../support/websocket.ts';

const JWT_SECRET = 'the JWT secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });
const ROOM = 'matrix';

/** One client of one dialect in the room. */
interface Party {
  name: string;
  /** The numbers that its messages carried, in the order of their arrival. */
  got(): unknown[];
  send(n: number): unknown;
}

const numberOf = (data: unknown) => (data as { n?: unknown } | null)?.n;

async function echoParty(server: TestServer, clientId: string): Promise<Party> {
  const socket = await enter(server, ROOM, { clientId });
  return {
    name: 'echo',
    got: () => socket.messages.filter(isType('message')).map(({ content }) => numberOf(content)),
    send: (n) => socket.send({ type: 'message', content: { n } }),
  };
}

async function nexusParty(server: TestServer, userId: string): Promise<Party> {
  const socket = await openSocket(`${server.url}/ws?token=${await jwts.issue({ userId, role: 'agent' })}`);
  socket.send({ action: 'subscribe', channel: ROOM });
  await socket.next(isType('subscribed'));
  return {
    name: 'nexus',
    got: () =>
      socket.messages
        .filter((message) => isType('message')(message) || isType('broadcast')(message))
        .map(({ data }) => numberOf(data)),
    send: (n) => socket.send({ action: 'publish', channel: ROOM, payload: { n } }),
  };
}

async function mbParty(server: TestServer, userId: string): Promise<Party> {
  const socket = await openSocket(`${server.url}/mb?token=${await jwts.issue({ userId, role: 'agent' })}`);
  const frame = (header: string, payload: unknown) => `${header}\n${JSON.stringify(payload)}`;
  socket.send(frame(`request:system.topic.subscribe:1.0.0:${randomUUID()}`, { topic: ROOM }));
  await until(() => socket.texts.some((text) => text.startsWith('response:')));
  return {
    name: 'mb',
    got: () =>
      socket.texts
        .filter((text) => text.startsWith(`publish:${ROOM}:`))
        .map((text) => numberOf(JSON.parse(text.slice(text.indexOf('\n') + 1)))),
    send: (n) => socket.send(frame(`publish:${ROOM}:1.0.0`, { n })),
  };
}

async function socketioParty(server: TestServer, clientId: string): Promise<Party> {
  const socket = server.client();
  const got: unknown[] = [];
  socket.on('room_message', ({ data }) => got.push(numberOf(data)));
  socket.connect();
  await until(() => socket.connected);
  const ask = (event: string, request: object) =>
    (socket as unknown as { emitWithAck(event: string, request: object): Promise<Message> }).emitWithAck(
      event,
      request,
    );
  assert.deepEqual(await ask('join_room', { room: ROOM, token: roomToken(ROOM, { clientId }) }), {
    ok: true,
  });
  return {
    name: 'socketio',
    got: () => got,
    send: (n) => ask('publish_room', { room: ROOM, data: { n } }),
  };
}

const httpParty = (server: TestServer): Party => ({
  name: 'http',
  got: () => [],
  send: (n) => push(server, ROOM, { content: { n } }),
});

const MAKERS = [echoParty, nexusParty, mbParty, socketioParty];
/** Publishers that get their own messages back. */
const ECHOING = new Set(['nexus', 'mb']);

describe('messages between the dialects', () => {
  let redis: RedisServer;
  let one: TestServer;
  let two: TestServer;

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    const env = { HMAC_SECRET, JWT_SECRET, REDIS_URL: redis.url };
    [one, two] = await Promise.all([startServer(env), startServer(env)]);
    for (const { url } of [one, two]) await until(async () => (await fetch(`${url}/readyz`)).ok);
  });
  after(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    await redis?.stop();
  });

  it('[WS-6] every sender reaches every receiver on every instance, once', async () => {
    const receivers: { at: string; party: Party }[] = [];
    const senders: Party[] = [];
    for (const [at, server] of [
      ['one', one],
      ['two', two],
    ] as const) {
      for (const [n, make] of MAKERS.entries()) {
        receivers.push({ at, party: await make(server, `receiver-${at}-${n}`) });
        senders.push(await make(server, `sender-${at}-${n}`));
      }
      senders.push(httpParty(server));
    }
    const all = senders.map((_, n) => n);
    for (const [n, sender] of senders.entries()) await sender.send(n);
    await until(() => receivers.every(({ party }) => party.got().length >= senders.length));
    // Whatever came twice has come by the time that these have.
    const last = [1000, 1001];
    await senders[0]?.send(1000);
    await senders.at(-1)?.send(1001);
    await until(() => receivers.every(({ party }) => last.every((n) => party.got().includes(n))));
    const sorted = (numbers: unknown[]) => [...numbers].sort((a, b) => Number(a) - Number(b));
    for (const { at, party } of receivers) {
      assert.deepEqual(sorted(party.got()), [...all, ...last], `${party.name} on ${at}`);
    }
    for (const [n, sender] of senders.entries()) {
      if (sender.name === 'http') continue;
      const own = n === 0 ? [0, 1000] : [n];
      const expected = [...all, ...last].filter((one) => ECHOING.has(sender.name) || !own.includes(one));
      assert.deepEqual(sorted(sender.got()), expected, `sender ${sender.name} ${n}`);
    }
  });
});
