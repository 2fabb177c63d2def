import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { freePort, type RedisServer } from '../lab/redis.ts';
import { waitFor } from '../lab/wait.ts';
import type { Candidate } from './candidate.ts';
import { askChild, childrenOf, cpuMs, endChild, hasEnded, startChild } from './child.ts';
import { now } from './clock.ts';
import { gethLine } from './lines.ts';
import { programPath } from './programs.ts';

/** Where Debian puts servers. */
const NGINX = '/usr/sbin/nginx';
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const NATS = '/usr/sbin/nats-server';

/** A burst takes a few seconds; the rest is for a busy machine. */
const PUBLISH_TIMEOUT_MS = 120_000;

const message = (line: string) => JSON.stringify({ service: 'execution', line });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a peer that is not installed says in its row. */
export type Missing = { name: string; missing: string };

export type NodePeerKind = 'socket.io+redis' | 'socket.io' | 'ws';

const NODE_NAMES: Record<NodePeerKind, string> = {
  'socket.io+redis': 'Socket.IO + redis-adapter',
  'socket.io': 'Socket.IO',
  ws: '`ws` send loop',
};

/** Starts one of the servers of peer-server.ts in a process of its own. */
export async function startNodePeer(
  kind: NodePeerKind,
  options: { redis?: RedisServer; burst: number; execArgv?: readonly string[] },
): Promise<Candidate & { child: ChildProcess; port: number }> {
  const words = [...(options.execArgv ?? []), programPath('peer-server'), kind, options.redis?.url ?? ''];
  const child = startChild(process.execPath, words, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production' },
  });
  const { port } = await askChild<{ kind: 'listening'; port: number }>(child, null, 'listening', 20_000);
  const path = kind === 'ws' ? '/' : '/socket.io/?EIO=4&transport=websocket';
  const { redis } = options;
  return {
    name: NODE_NAMES[kind],
    child,
    port,
    sink: { host: '127.0.0.1', port, path, protocol: kind === 'ws' ? 'plain' : 'socketio' },
    burst: options.burst,
    cpuMs: () => cpuMs(child.pid ?? 0),
    ...(redis ? { storeCpuMs: () => cpuMs(redis.pid) } : {}),
    async publish(from, count, rate) {
      const request = { do: 'publish', from, count, rate };
      const { started } = await askChild<{ kind: 'published'; started: number }>(
        child,
        request,
        'published',
        PUBLISH_TIMEOUT_MS,
      );
      return started;
    },
    stop: () => endChild(child),
  };
}

const connectTo = (port: number) =>
  new Promise<net.Socket>((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

async function listening(child: ChildProcess, port: number, name: string): Promise<void> {
  await waitFor(`${name} to listen`, async () => {
    if (hasEnded(child)) throw new Error(`${name} has ended`);
    const socket = await connectTo(port).catch(() => null);
    socket?.destroy();
    return socket !== null;
  });
}

/** Calls `step` with line numbers, at a rate where there is one. */
async function pace(from: number, count: number, rate: number, step: (n: number) => void): Promise<void> {
  const since = now();
  for (let n = 0; n < count; ) {
    const due = Math.min(count, Math.floor(((now() - since) * rate) / 1000) + 1);
    while (n < due) step(from + n++);
    await sleep(10);
  }
}

/** NATS with its WebSocket listener; lines are published over its own protocol. */
export async function startNats(folder: string, burst: number): Promise<Candidate | Missing> {
  const name = 'NATS over WebSocket';
  if (!existsSync(NATS)) return { name, missing: 'nats-server is not installed' };
  const [clients, sockets] = [await freePort(), await freePort()];
  const conf = join(folder, 'nats.conf');
  await writeFile(
    conf,
    `listen: "127.0.0.1:${clients}"
websocket { listen: "127.0.0.1:${sockets}", no_tls: true }
max_pending: 512MB
ping_interval: "10m"
`,
  );
  const child = startChild(NATS, ['-c', conf], { stdio: 'ignore' });
  await listening(child, sockets, name);
  const publisher = await connectTo(clients);
  publisher.on('data', () => {});
  publisher.write('CONNECT {"verbose":false}\r\n');
  const command = (n: number) => {
    const text = message(gethLine(n));
    return `PUB lines ${text.length}\r\n${text}\r\n`;
  };
  return {
    name,
    sink: { host: '127.0.0.1', port: sockets, path: '/', protocol: 'nats', subject: 'lines' },
    burst,
    cpuMs: () => cpuMs(child.pid ?? 0),
    async publish(from, count, rate) {
      const started = now();
      if (rate !== null) await pace(from, count, rate, (n) => publisher.write(command(n)));
      else {
        for (let n = 0; n < count; n += 32) {
          const part = Array.from({ length: Math.min(32, count - n) }, (_, i) => command(from + n + i));
          if (!publisher.write(part.join(''))) await new Promise((done) => publisher.once('drain', done));
          await new Promise((done) => setImmediate(done));
        }
      }
      return started;
    },
    async stop() {
      publisher.destroy();
      await endChild(child);
    },
  };
}

/** Requests that wait for their answers at one time. */
const NCHAN_PIPELINE = 16;

/** nginx with Nchan: lines are posted to a channel, sixteen requests under way. */
export async function startNchan(folder: string, burst: number): Promise<Candidate | Missing> {
  const name = 'nginx + Nchan';
  if (!existsSync(NGINX) || !existsSync(NCHAN))
    return { name, missing: 'nginx with libnginx-mod-nchan is not installed' };
  const port = await freePort();
  const conf = join(folder, 'nginx.conf');
  await writeFile(
    conf,
    `load_module ${NCHAN};
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  nchan_max_reserved_memory 256M;
  server {
    listen 127.0.0.1:${port};
    location = /sub { nchan_subscriber websocket; nchan_channel_id lines; nchan_subscriber_first_message newest; }
    location = /pub { nchan_publisher; nchan_channel_id lines; nchan_message_buffer_length 20000; keepalive_requests 100000000; }
  }
}
`,
  );
  const child = startChild(NGINX, ['-c', conf, '-p', folder], { stdio: 'ignore' });
  await listening(child, port, name);
  const publisher = await connectTo(port);
  let waiting = 0;
  let answered: () => void = () => {};
  publisher.on('data', (data: Buffer) => {
    for (let at = data.indexOf('HTTP/1.1 20'); at !== -1; at = data.indexOf('HTTP/1.1 20', at + 1)) waiting--;
    answered();
  });
  const post = (n: number) => {
    const text = message(gethLine(n));
    waiting++;
    publisher.write(`POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  };
  return {
    name,
    sink: { host: '127.0.0.1', port, path: '/sub', protocol: 'plain' },
    burst,
    cpuMs: () => [child.pid ?? 0, ...childrenOf(child.pid ?? 0)].reduce((sum, pid) => sum + cpuMs(pid), 0),
    async publish(from, count, rate) {
      const started = now();
      if (rate !== null) await pace(from, count, rate, post);
      else {
        for (let n = 0; n < count; n++) {
          while (waiting >= NCHAN_PIPELINE) {
            await new Promise<void>((done) => {
              answered = done;
            });
          }
          post(from + n);
        }
      }
      return started;
    },
    async stop() {
      publisher.destroy();
      await endChild(child);
    },
  };
}
