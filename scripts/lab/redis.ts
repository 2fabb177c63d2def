import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tail } from './run.ts';
import { waitFor } from './wait.ts';

/** Starting takes some 20 ms; the rest is for a machine that is busy with other things. */
const START_TIMEOUT_MS = 10_000;
/** Another process may take a free port between its choice and its use. */
const PORT_ATTEMPTS = 5;

export interface RedisOptions {
  /** Read first; arguments go over it. */
  configFile?: string;
  /** Default: a free one. */
  port?: number;
  /** Data folder, kept afterwards. Default: one of its own, removed at the end. */
  dir?: string;
  /** Further arguments of redis-server, e.g. `['--appendonly', 'yes']`. Default: nothing is ever saved. */
  args?: readonly string[];
  /** Added to its environment. */
  env?: Record<string, string>;
  /** Required of every client, and part of `url`. */
  password?: string;
  /** Speaks TLS only, with a certificate of its own for 127.0.0.1 and localhost. */
  tls?: boolean;
}

/** A real redis-server on loopback. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** Path of the certificate to trust, with `tls`. */
  readonly caPath: string | null;
  /** Ends it in order and removes its data; idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; data and port stay for `restart`. */
  kill(): Promise<void>;
  /** Starts it again at the same port, on the same data where `args` let it save some. Ends it in order first if it runs. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Runs redis-cli. @returns its output without the last line break. @throws Error on an error reply */
  cli(...args: string[]): Promise<string>;
}

/** Starts a redis-server and waits until it answers. It ends with this process, and before that by its `stop`. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'tailwire-redis-')));
  await mkdir(dir, { recursive: true });
  const caPath = options.tls ? await makeCertificate(dir) : null;
  const auth = options.password === undefined ? {} : { REDISCLI_AUTH: options.password };
  let port = options.port ?? 0;
  let child: ChildProcess | undefined;
  let stopping: Promise<void> | undefined;

  const client = (...args: string[]) => {
    const tls = caPath ? ['--tls', '--cacert', caPath] : [];
    return run('redis-cli', ['-e', '-h', '127.0.0.1', '-p', String(port), ...tls, ...args], {
      env: { PATH: process.env.PATH ?? '', ...auth },
    });
  };

  async function launch(): Promise<void> {
    const listen = caPath ? tlsArgs(port, caPath) : ['--port', String(port)];
    const password = options.password === undefined ? [] : ['--requirepass', options.password];
    const file = options.configFile === undefined ? [] : [options.configFile];
    const saving = options.args?.includes('--sentinel') ? [] : ['--save', '', '--appendonly', 'no'];
    const fixed = ['--bind', '127.0.0.1', '--dir', dir, ...saving, ...listen, ...password];
    child = startProcess([...file, ...fixed, ...(options.args ?? [])], options.env);
    const output = collectOutput(child);
    await waitFor(
      `redis-server at port ${port}`,
      async () => {
        if (hasEnded(child)) throw new Error(`redis-server did not start:\n${tail(output())}`);
        return (await client('ping').catch(() => null))?.stdout.trim() === 'PONG';
      },
      { timeoutMs: START_TIMEOUT_MS, describe: () => tail(output()) },
    );
  }

  async function end(name: NodeJS.Signals): Promise<void> {
    const process = child;
    if (!process || hasEnded(process)) return;
    const gone = new Promise<void>((resolve) => process.once('exit', () => resolve()));
    process.kill('SIGCONT');
    process.kill(name);
    const timer = setTimeout(() => process.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
  }

  const server: RedisServer = {
    get url() {
      const user = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
      return `${caPath ? 'rediss' : 'redis'}://${user}127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    dir,
    caPath,
    stop() {
      stopping ??= end('SIGTERM').then(async () => {
        if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
      });
      return stopping;
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await launch();
    },
    freeze() {
      child?.kill('SIGSTOP');
    },
    thaw() {
      child?.kill('SIGCONT');
    },
    async cli(...args) {
      return (await client(...args)).stdout.replace(/\n$/, '');
    },
  };

  for (let attempt = 1; ; attempt++) {
    if (options.port === undefined) port = await freePort();
    try {
      await launch();
      return server;
    } catch (error) {
      const taken = options.port === undefined && String(error).includes('Address already in use');
      if (!taken || attempt === PORT_ATTEMPTS) {
        await server.stop();
        throw error;
      }
    }
  }
}

export interface SentinelOptions {
  /** After so many ms without an answer the primary counts as down. Default 1000. */
  downAfterMs?: number;
}

/** One primary with a replica, watched by three sentinels. */
export interface Sentinels {
  /** `redis+sentinel://a,b,c/MASTER` */
  readonly url: string;
  readonly masterName: string;
  /** As started; after a fail-over the roles are exchanged: ask `primary()`. */
  readonly servers: readonly [RedisServer, RedisServer];
  readonly sentinels: readonly RedisServer[];
  /** The server that the first sentinel names now. */
  primary(): Promise<RedisServer>;
  /** Asks for a fail-over and waits until it is done. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts them and waits until all know each other, so that a fail-over is possible. */
export async function startSentinels({ downAfterMs = 1000 }: SentinelOptions = {}): Promise<Sentinels> {
  const masterName = 'tailwire';
  const first = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  const second = await startRedis({
    args: ['--replicaof', '127.0.0.1', String(first.port), '--repl-diskless-sync-delay', '0'],
  });
  const sentinels: RedisServer[] = [];
  const dirs: string[] = [];
  for (let n = 0; n < 3; n++) {
    const dir = await mkdtemp(join(tmpdir(), 'tailwire-sentinel-'));
    dirs.push(dir);
    const conf = join(dir, 'sentinel.conf');
    await writeFile(
      conf,
      `sentinel monitor ${masterName} 127.0.0.1 ${first.port} 2
sentinel down-after-milliseconds ${masterName} ${downAfterMs}
sentinel failover-timeout ${masterName} ${Math.max(5000, 5 * downAfterMs)}
sentinel parallel-syncs ${masterName} 1
`,
    );
    sentinels.push(await startRedis({ dir, args: ['--sentinel'], configFile: conf }));
  }
  const [watcher] = sentinels;
  if (!watcher) throw new Error('No sentinel was started');

  async function primary(): Promise<RedisServer> {
    const [, port] = (
      await (watcher as RedisServer).cli('sentinel', 'get-master-addr-by-name', masterName)
    ).split('\n');
    return Number(port) === second.port ? second : first;
  }

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= Promise.all([...sentinels, second, first].map((server) => server.stop())).then(async () => {
      for (const dir of dirs) await rm(dir, { recursive: true, force: true });
    });
    return stopping;
  };
  try {
    for (const sentinel of sentinels) {
      await waitFor(
        'the sentinels to know each other and the replica',
        () => knowsAll(sentinel, masterName),
        {
          timeoutMs: 20_000,
          everyMs: 100,
        },
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${masterName}`,
    masterName,
    servers: [first, second],
    sentinels,
    primary,
    async failover() {
      const before = await primary();
      await watcher.cli('sentinel', 'failover', masterName);
      await waitFor('the fail-over', async () => (await primary()) !== before, {
        timeoutMs: 20_000,
        everyMs: 50,
      });
    },
    stop,
  };
}

async function knowsAll(sentinel: RedisServer, masterName: string): Promise<boolean> {
  const words = (await sentinel.cli('sentinel', 'master', masterName)).split('\n');
  const field = (name: string) => words[words.indexOf(name) + 1];
  return field('flags') === 'master' && field('num-other-sentinels') === '2' && field('num-slaves') === '1';
}

/** @returns a TCP port of loopback that nobody uses now */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return !child || child.exitCode !== null || child.signalCode !== null;
}

/** Starts a redis-server that the kernel ends with this process (prctl(2), PR_SET_PDEATHSIG), if it can be told so. */
function startProcess(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const wrapper = existsSync('/usr/bin/setpriv') ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  const [program = 'redis-server', ...rest] = [...wrapper, 'redis-server', ...args];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  // Shown by the wait for its first answer.
  child.on('error', () => {});
  return child;
}

/** Keeps the last 8 KiB a process prints. */
function collectOutput(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-8192);
    });
  }
  return () => text;
}

/** Makes a key and a certificate that signs itself. @returns the certificate's path; the key lies beside it */
async function makeCertificate(dir: string): Promise<string> {
  const certificate = join(dir, 'redis.crt');
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    join(dir, 'redis.key'),
  ];
  const subject = ['-subj', '/CN=localhost', '-addext', names, '-days', '2'];
  await run('openssl', ['req', '-x509', ...key, ...subject, '-out', certificate]);
  return certificate;
}

function tlsArgs(port: number, certificate: string): string[] {
  const key = certificate.replace(/crt$/, 'key');
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
  return ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
}
