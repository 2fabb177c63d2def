import { createRoomTokens, type RoomTokenRequest } from '../../server/rooms/tokens/room-token.ts';
import { requirePart } from './parts.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { startServer, type TestServer } from './server.ts';
import { until } from './until.ts';
import { openSocket, type TestSocket, type TestSocketOptions } from './websocket.ts';

export const HMAC_SECRET = 'the room secret of these tests';
export const ISSUER_KEY = 'the issuer key of these tests';
const tokens = createRoomTokens({ secret: HMAC_SECRET });

export type Message = Record<string, unknown>;
export const isType = (wanted: string) => (message: Message) => message.type === wanted;

/** A token as `POST /auth/token` would give it, for an hour unless told. */
export function roomToken(room: string, request: Partial<RoomTokenRequest> = {}): string {
  return tokens.issue({ clientId: 'client-1', room, expiresInS: 3600, ...request }).token;
}

/** Opens a connection without waiting for more than the upgrade. */
export function knock(server: TestServer, path: string, options?: TestSocketOptions): Promise<TestSocket> {
  return openSocket(`${server.url}${path}`, options);
}

/** A client in a room, welcomed. */
export async function enter(
  server: TestServer,
  room: string,
  request: Partial<RoomTokenRequest> = {},
): Promise<TestSocket> {
  const socket = await knock(server, `/${room}?token=${roomToken(room, request)}`);
  await socket.next(isType('welcome'));
  return socket;
}

export interface HttpAnswer {
  status: number;
  body: { success?: boolean; clientCount?: number; error?: { code: string; message: string } } & Message;
}

export async function postJson(
  server: TestServer,
  path: string,
  body: unknown,
  bearer?: string,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as HttpAnswer['body'] };
}

/** Pushes into a room with a token of it. */
export function push(
  server: TestServer,
  room: string,
  body: unknown,
  headers?: Record<string, string>,
): Promise<HttpAnswer> {
  return postJson(server, `/${room}/postcontent`, body, roomToken(room), headers);
}

/**
 * Describes rooms on one instance, and on two that share a Redis: `two` is then the other one, and else the same.
 * The rig has them from the first test on.
 */
export function describeRooms(
  title: string,
  body: (rig: { one: TestServer; two: TestServer }) => void,
): void {
  for (const instances of [1, 2]) {
    describe(`${title} on ${instances === 1 ? 'one instance' : 'two instances'}`, () => {
      const rig = {} as { one: TestServer; two: TestServer };
      let redis: RedisServer | undefined;

      before(async function () {
        if (instances === 2) requirePart(this, 'redis-server');
        redis = instances === 2 ? await startRedis() : undefined;
        const env = {
          HMAC_SECRET,
          ISSUER_KEY,
          HTTP_RATE: '1000',
          ...(redis ? { REDIS_URL: redis.url } : {}),
        };
        rig.one = await startServer(env);
        rig.two = instances === 2 ? await startServer(env) : rig.one;
        if (redis) {
          for (const { url } of [rig.one, rig.two])
            await until(async () => (await fetch(`${url}/readyz`)).ok);
        }
      });
      after(async () => {
        await Promise.all([rig.one?.stop(), rig.two?.stop()]);
        await redis?.stop();
      });

      body(rig);
    });
  }
}
