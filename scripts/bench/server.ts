import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILT_SERVER } from '../built-server.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { type RedisServer, startRedis } from '../lab/redis.ts';
import { tail } from '../lab/run.ts';
import { waitFor } from '../lab/wait.ts';
import { askChild, endChild, hasEnded, startChild } from './child.ts';

/** Opens /metrics of a cluster's servers. */
export const METRICS_TOKEN = 'the metrics token of the benches';

export interface MemoryUse {
  kind: 'memory';
  rss: number;
  heapUsed: number;
  external: number;
  arrayBuffers: number;
}

/** One server process as it runs in production. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  isRunning(): boolean;
  /** Memory after a garbage collection. */
  memory(): Promise<MemoryUse>;
  stop(): Promise<void>;
}

/** Servers of one cluster, their Redis, and a session on the lab's host. */
export interface Cluster {
  readonly redis: RedisServer;
  readonly servers: readonly ServerProcess[];
  /** A new session. @returns its token */
  login(): Promise<string>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  lab: Lab;
  host: LabHost;
  instances: number;
  /** Folder for logs, and for CPU profiles where those are wanted. */
  folder: string;
  profile: boolean;
}

/** Starts one built server with these settings, and waits until it is ready. */
export async function startServer(
  name: string,
  env: Record<string, string>,
  options: Pick<ClusterOptions, 'folder' | 'profile'>,
): Promise<ServerProcess> {
  const { folder, profile } = options;
  const log = join(folder, `${name}.log`);
  const output = openSync(log, 'a');
  const probe = fileURLToPath(new URL('./memory-probe.mjs', import.meta.url));
  const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
  const words = [...profiling, '--expose-gc', `--import=${probe}`, BUILT_SERVER.main];
  const child: ChildProcess = startChild(process.execPath, words, {
    cwd: BUILT_SERVER.cwd,
    stdio: ['ignore', output, output, 'ipc'],
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  closeSync(output);
  const text = () => readFileSync(log, 'utf8');
  const port = await waitFor(
    `${name} to be ready`,
    () => {
      if (hasEnded(child)) throw new Error(`${name} did not start:\n${tail(text())}`);
      return Number(/^Tailwire ready on http:\/\/\S+:(\d+)$/m.exec(text())?.[1]) || undefined;
    },
    { timeoutMs: 30_000, describe: () => tail(text()) },
  );
  return {
    pid: child.pid ?? 0,
    port,
    isRunning: () => !hasEnded(child),
    memory: () => askChild<MemoryUse>(child, { do: 'memory' }, 'memory', 10_000),
    stop: () => endChild(child, 12_000),
  };
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { lab, host, folder } = options;
  const redis = await startRedis();
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
  };
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: '0',
    REDIS_URL: redis.url,
    SESSION_SECRET: randomBytes(32).toString('base64'),
    SSH_ALLOWED_HOSTS: lab.subnet,
    HTTP_RATE: '1000',
    METRICS_TOKEN,
    TMPDIR: folder,
  };
  try {
    for (let n = 1; n <= options.instances; n++) {
      servers.push(await startServer(`server${n}-${redis.port}`, env, options));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    redis,
    servers,
    async login() {
      const response = await fetch(`http://127.0.0.1:${servers[0]?.port}/api/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          host: host.address,
          port: host.port,
          username: 'ethnode',
          authMethod: 'password',
          password: lab.passwords.ethnode,
        }),
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`Login failed: ${response.status} ${text}`);
      return (JSON.parse(text) as { token: string }).token;
    },
    stop,
  };
}
