import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import type { RedisServer } from '../lab/redis.ts';
import type { Candidate } from './candidate.ts';
import { askChild, cpuMs, endChild, startChild } from './child.ts';
import { now } from './clock.ts';
import { gethLine, MARK } from './lines.ts';
import { programPath } from './programs.ts';
import { type ServerProcess, startServer } from './server.ts';

/** Messages of a burst that may be on their way at one time: their publisher is a member, and counts what comes back. */
const WINDOW = 256;
/** One connection sends all of a burst; the longest time between pings, since the sinks answer none. */
const LIMITS = { MESSAGE_RATE: '1000000', HEARTBEAT_INTERVAL: '3600000', CLIENT_TIMEOUT: '3600000' };

const SUBSCRIBE = JSON.stringify({ action: 'subscribe', channel: 'bench' });
const message = (n: number) =>
  JSON.stringify({ action: 'publish', channel: 'bench', payload: { line: gethLine(n), sent: now() } });

/** A member that publishes. */
interface Publisher {
  publish: Candidate['publish'];
  stop(): Promise<void>;
}

async function openPublisher(url: string): Promise<Publisher> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let back = 0;
  let wake = () => {};
  socket.on('message', (data: Buffer) => {
    if (!data.includes(MARK)) return;
    back++;
    wake();
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  // Whoever publishes notices by what does not come back.
  socket.on('error', () => {});
  socket.send(SUBSCRIBE);
  return {
    async publish(from, count, rate) {
      back = 0;
      const started = now();
      for (let n = 0; n < count; ) {
        const due = rate === null ? back + WINDOW : Math.floor(((now() - started) * rate) / 1000) + 1;
        while (n < Math.min(count, due)) socket.send(message(from + n++));
        await new Promise<void>((resolve) => {
          if (rate === null) wake = resolve;
          else setTimeout(resolve, 5);
        });
      }
      return started;
    },
    async stop() {
      socket.terminate();
    },
  };
}

/** A built server with the dialects that the benches use, and an address at which one may connect to it over Nexus. */
export async function startRoomServer(
  name: string,
  options: { redis: RedisServer; folder: string; profile: boolean },
): Promise<{ server: ServerProcess; path: string }> {
  const secret = () => randomBytes(32).toString('base64url');
  const jwtSecret = secret();
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: '0',
    REDIS_URL: options.redis.url,
    SESSION_SECRET: secret(),
    JWT_SECRET: jwtSecret,
    TMPDIR: options.folder,
    ...LIMITS,
  };
  const server = await startServer(name, env, options);
  const token = await createJwts({ secret: jwtSecret }).issue({ userId: 'bench', role: 'agent' });
  return { server, path: `/ws?token=${token}` };
}

/** What a connection says to be in the room. */
export const HELLO = { send: SUBSCRIBE, answer: '"subscribed"' };

/** A room of a built server over Nexus: JSON, permissions, filters and Redis are part of what is measured. */
export async function startNexus(options: {
  name: string;
  redis: RedisServer;
  folder: string;
  profile: boolean;
  burst: number;
}): Promise<Candidate> {
  const { redis } = options;
  const { server, path } = await startRoomServer('rooms', options);
  const publisher = await openPublisher(`ws://127.0.0.1:${server.port}${path}`);
  return {
    name: options.name,
    sink: { host: '127.0.0.1', port: server.port, path, protocol: 'plain', hello: HELLO, stampsEvery: 10 },
    burst: options.burst,
    cpuMs: () => cpuMs(server.pid),
    storeCpuMs: () => cpuMs(redis.pid),
    publish: publisher.publish,
    async stop() {
      await publisher.stop();
      await server.stop();
    },
  };
}

/** The loop of room-peer.ts in a process of its own. */
export async function startWsLoop(name: string, burst: number): Promise<Candidate> {
  const child: ChildProcess = startChild(process.execPath, [programPath('room-peer')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production' },
  });
  const { port } = await askChild<{ kind: 'listening'; port: number }>(child, null, 'listening', 20_000);
  const publisher = await openPublisher(`ws://127.0.0.1:${port}/`);
  return {
    name,
    sink: { host: '127.0.0.1', port, path: '/', protocol: 'plain', stampsEvery: 10 },
    burst,
    cpuMs: () => cpuMs(child.pid ?? 0),
    publish: publisher.publish,
    async stop() {
      await publisher.stop();
      await endChild(child);
    },
  };
}
