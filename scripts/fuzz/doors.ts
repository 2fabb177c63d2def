import { once } from 'node:events';
import http from 'node:http';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Target } from './target.ts';

/** Longest wait for an answer, in ms. */
const WAIT_MS = 10_000;

/** Secrets of a server whose doors are tried. */
export const DOOR_SECRETS = {
  ISSUER_KEY: 'the-issuer-key-of-this-run-5a1e7c',
  METRICS_TOKEN: 'the-metrics-token-of-this-run-91',
  DOCS_USERNAME: 'documents',
  DOCS_PASSWORD: 'the-password-of-the-documents-77',
};

/** A place of the server that lets in who shows a secret. */
export interface Door {
  readonly name: string;
  /** The secret that opens it. */
  readonly secret: string;
  /** @returns whether it opened. @throws Error where the answer is neither yes nor no */
  tries(secret: string): Promise<boolean>;
  /** Whether a text is only another spelling of the secret. */
  isSame?(text: string): boolean;
}

export interface Doors {
  readonly list: readonly Door[];
  stop(): void;
}

/** An answer that must be one of two. @throws Error for any other */
function oneOf(answer: number | string | undefined, yes: number | string, no: number | string): boolean {
  if (answer !== yes && answer !== no) throw new Error(`answered ${answer} instead of ${yes} or ${no}`);
  return answer === yes;
}

/** Every door of a server that was started with DOOR_SECRETS. */
export async function openDoors(target: Target, room: string): Promise<Doors> {
  const agent = new http.Agent({ keepAlive: true });
  const base = `127.0.0.1:${target.port}`;

  async function status(method: string, path: string, authorization: string, body?: object): Promise<number> {
    const request = http.request(`http://${base}${path}`, {
      agent,
      method,
      headers: { authorization, ...(body ? { 'content-type': 'application/json' } : {}) },
      timeout: WAIT_MS,
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.end(body ? JSON.stringify(body) : undefined);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode ?? 0;
  }
  const basic = (name: string, password: string) =>
    `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

  /** The status of an upgrade that is refused; the close code of one that is not, or 101 where it stays open. */
  function upgrade(path: string): Promise<number> {
    const ws = new WebSocket(`ws://${base}${path}`, { handshakeTimeout: WAIT_MS });
    return new Promise<number>((resolve, reject) => {
      ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      ws.on('message', () => resolve(101));
      ws.on('close', (code) => resolve(code));
      ws.on('error', reject);
    }).finally(() => {
      ws.on('error', () => {});
      ws.terminate();
    });
  }

  const session = await target.login();
  const viewer: Socket = io(`http://${base}`, {
    transports: ['websocket'],
    forceNew: true,
    auth: { token: session },
  });
  const stranger: Socket = io(`http://${base}`, { transports: ['websocket'], forceNew: true });
  const position = await new Promise<string>((resolve, reject) => {
    viewer.once('log_data', ({ id }: { id: string }) => resolve(id));
    viewer.once('error', ({ message }: { message: string }) => reject(new Error(message)));
    viewer.once('connect_error', reject);
    viewer.once('authenticated', () => viewer.emit('subscribe_logs', { service: 'execution', tail: 1 }));
  });
  viewer.emit('unsubscribe_logs', { service: 'execution' });
  type Answer = { ok: boolean; error?: { code: string } };
  const ask = async (request: object): Promise<Answer> =>
    (await viewer.timeout(WAIT_MS).emitWithAck('subscribe_logs', request)) as Answer;
  const signature = (token: string) => Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
  const head = (token: string) => token.slice(0, token.lastIndexOf('.'));

  return {
    list: [
      {
        name: 'issuer key',
        secret: DOOR_SECRETS.ISSUER_KEY,
        tries: async (key) =>
          oneOf(await status('POST', '/auth/token', `Bearer ${key}`, { clientId: 'x', room }), 200, 401),
      },
      {
        name: 'metrics token',
        secret: DOOR_SECRETS.METRICS_TOKEN,
        tries: async (token) => oneOf(await status('GET', '/metrics', `Bearer ${token}`), 200, 401),
      },
      {
        name: 'password of the documents',
        secret: DOOR_SECRETS.DOCS_PASSWORD,
        tries: async (password) =>
          oneOf(
            await status('GET', '/docs/openapi.json', basic(DOOR_SECRETS.DOCS_USERNAME, password)),
            200,
            401,
          ),
      },
      {
        name: 'user name of the documents',
        secret: DOOR_SECRETS.DOCS_USERNAME,
        tries: async (name) =>
          oneOf(await status('GET', '/docs/openapi.json', basic(name, DOOR_SECRETS.DOCS_PASSWORD)), 200, 401),
      },
      {
        name: 'session token (HTTP)',
        secret: session,
        tries: async (token) => oneOf(await status('GET', '/api/session', `Bearer ${token}`), 200, 401),
      },
      {
        name: 'session token (Socket.IO)',
        secret: session,
        async tries(token) {
          const socket = token === session ? viewer : stranger;
          return (await socket.timeout(WAIT_MS).emitWithAck('authenticate', token)) === true;
        },
      },
      {
        name: 'room token (HTTP)',
        secret: target.roomToken,
        tries: async (token) =>
          oneOf(await status('POST', `/rooms/${room}/post`, `Bearer ${token}`, { content: 'x' }), 200, 401),
      },
      {
        name: 'room token (WebSocket)',
        secret: target.roomToken,
        tries: async (token) => oneOf(await upgrade(`/rooms/${room}?token=${token}`), 101, 4002),
      },
      {
        name: 'JWT',
        secret: target.jwt,
        tries: async (token) => oneOf(await upgrade(`/ws?token=${token}`), 101, 403),
        // The last character of 43 has two bits that no byte of the signature is made of.
        isSame: (token) => head(token) === head(target.jwt) && signature(token).equals(signature(target.jwt)),
      },
      {
        name: 'log position',
        secret: position,
        async tries(after) {
          const { ok, error } = await ask({ service: 'execution', after });
          if (ok) await viewer.timeout(WAIT_MS).emitWithAck('unsubscribe_logs', { service: 'execution' });
          return oneOf(ok ? 'ok' : error?.code, 'ok', 'invalid_position');
        },
      },
    ],
    stop() {
      viewer.disconnect();
      stranger.disconnect();
      agent.destroy();
    },
  };
}
