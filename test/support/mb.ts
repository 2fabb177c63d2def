import { randomUUID } from 'node:crypto';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { formatMbHeader, type MbHeader, parseMbHeader } from '../../shared/mb.ts';
import { requirePart } from './parts.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { startServer, type TestServer } from './server.ts';
import { until } from './until.ts';
import { openSocket, type TestSocket, type TestSocketOptions } from './websocket.ts';

/** A message of the Message Broker protocol, taken apart. */
export interface MbFrame {
  /** The header line as it came. */
  line: string;
  header: MbHeader;
  payload: unknown;
  binary: boolean;
}

/** A Message Broker client that keeps what it gets. */
export interface MbClient {
  readonly socket: TestSocket;
  readonly frames: readonly MbFrame[];
  /** Sends one message; returns its request id. */
  send(
    header: Partial<MbHeader> & { topic: string },
    payload?: unknown,
    options?: { binary?: boolean },
  ): string;
  /** Sends a request and waits for its answer; several may be under way. */
  ask(topic: string, payload?: unknown, header?: Partial<MbHeader>): Promise<MbFrame>;
  subscribe(topic: string, action?: 'publish' | 'request' | 'both'): Promise<void>;
  /** The first message, from the last one taken on, that fits. @throws after `timeoutMs` */
  next(fits: (frame: MbFrame) => boolean, timeoutMs?: number): Promise<MbFrame>;
  /** Answers every request by `answer` of its payload. */
  serve(answer: (payload: unknown, frame: MbFrame) => unknown): void;
  close(): Promise<void>;
}

export async function openMb(url: string, options: TestSocketOptions = {}): Promise<MbClient> {
  const socket = await openSocket(url, options);
  const frames: MbFrame[] = [];
  let taken = 0;
  let onRequest: ((frame: MbFrame) => void) | undefined;
  socket.ws.on('message', (data, binary) => {
    const [line = '', ...rest] = data.toString().split('\n');
    const parsed = parseMbHeader(line);
    if (!parsed.ok) throw new Error(`the server sent the header ${line}`);
    const frame = { line, header: parsed.header, payload: JSON.parse(rest.join('\n')) as unknown, binary };
    frames.push(frame);
    if (frame.header.action === 'request') onRequest?.(frame);
  });

  const client: MbClient = {
    socket,
    frames,
    send(header, payload = {}, { binary = false } = {}) {
      const requestId = header.requestId ?? randomUUID();
      const line = formatMbHeader({ action: 'publish', version: '1.0.0', requestId, ...header });
      const text = `${line}\n${JSON.stringify(payload)}`;
      socket.ws.send(binary ? Buffer.from(text) : text);
      return requestId;
    },
    async ask(topic, payload, header = {}) {
      const id = client.send({ action: 'request', topic, ...header }, payload);
      const answer = () => frames.find((frame) => frame.header.parentRequestId === id);
      await until(answer);
      const found = answer();
      if (!found) throw new Error('unreachable');
      return found;
    },
    async subscribe(topic, action) {
      const { payload } = await client.ask('system.topic.subscribe', {
        topic,
        ...(action ? { action } : {}),
      });
      if ((payload as { status?: string }).status !== 'success') throw new Error(JSON.stringify(payload));
    },
    async next(fits, timeoutMs) {
      let found: MbFrame | undefined;
      await until(() => {
        for (; taken < frames.length && !found; taken += 1) {
          const frame = frames[taken];
          if (frame && fits(frame)) found = frame;
        }
        return found;
      }, timeoutMs);
      if (!found) throw new Error('unreachable');
      return found;
    },
    serve(answer) {
      onRequest = (frame) => {
        const { topic, requestId } = frame.header;
        client.send({ action: 'response', topic, parentRequestId: requestId }, answer(frame.payload, frame), {
          binary: frame.binary,
        });
      };
    },
    close: socket.close,
  };
  return client;
}

/** The code of an error payload. */
export const errorCode = ({ payload }: MbFrame): unknown => (payload as { code?: unknown }).code;

const JWT_SECRET = 'the secret of these tests';
const jwts = createJwts({ secret: JWT_SECRET });

/** What a suite of the Message Broker has to work with: two addresses, and clients that close behind each test. */
export interface MbRig {
  readonly one: TestServer;
  /** The other instance, or the same one. */
  readonly two: TestServer;
  connect(server: TestServer, claims?: object, options?: TestSocketOptions): Promise<MbClient>;
}

/** Defines a suite twice: on one instance, and on two that share a Redis. */
export function describeMb(title: string, define: (rig: MbRig) => void): void {
  for (const instances of [1, 2]) {
    describe(`${title} on ${instances === 1 ? 'one instance' : 'two instances'}`, () => {
      let redis: RedisServer | undefined;
      let servers: TestServer[] = [];
      const clients: MbClient[] = [];

      before(async function () {
        if (instances === 2) requirePart(this, 'redis-server');
        redis = instances === 2 ? await startRedis() : undefined;
        const env = { JWT_SECRET, MESSAGE_RATE: '1000', ...(redis ? { REDIS_URL: redis.url } : {}) };
        servers = await Promise.all(Array.from({ length: instances }, () => startServer(env)));
        for (const { url } of servers) await until(async () => (await fetch(`${url}/readyz`)).ok);
      });
      afterEach(async () => {
        await Promise.all(clients.splice(0).map((client) => client.close()));
      });
      after(async () => {
        await Promise.all(servers.map((server) => server.stop()));
        await redis?.stop();
      });

      const at = (n: number): TestServer => {
        const server = servers[n % instances];
        if (!server) throw new Error('not started');
        return server;
      };
      define({
        get one() {
          return at(0);
        },
        get two() {
          return at(1);
        },
        async connect(server, claims = {}, options = {}) {
          const token = await jwts.issue({ userId: 'usr_1', role: 'agent', ...claims });
          const client = await openMb(`${server.url}/mb?token=${token}`, options);
          clients.push(client);
          return client;
        },
      });
    });
  }
}
