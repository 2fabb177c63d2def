import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import ssh2, { type AuthContext, type Connection, type ServerChannel, type Session } from 'ssh2';
import type { Logger, Stoppable } from '../core/types.ts';
import { runCommand } from './commands.ts';
import { createHost, type SimulatedHost } from './host.ts';
import { runLive } from './live.ts';
import { type Random, seededRandom } from './random.ts';

/** How to reach a demo node that runs. */
export interface DemoAccess {
  host: string;
  port: number;
  username: string;
  password: string;
  hostKey: { algorithm: string; fingerprint: string };
}

export interface DemoNode extends Stoppable {
  /** Listens on loopback; repeated calls share one promise. @throws where the port cannot be opened, or after `stop` */
  start(): Promise<DemoAccess>;
  /** Ends all connections. Repeated calls share one promise. */
  stop(): Promise<void>;
}

export interface DemoNodeDeps {
  logger: Logger;
  /** Epoch ms; the machine's clock unless given. */
  clock?: { now(): number };
  /** Makes up the journal; of a new seed each time unless given. Never used for password and host key. */
  random?: Random;
}

/** Only this machine can reach the demo node. */
const LISTEN_HOST = '127.0.0.1';
const USERNAME = 'demo';
/** Software version of the SSH banner, that of Debian 12. */
const IDENT = 'OpenSSH_9.2p1 Debian-2+deb12u5';
/** Connections at once; a gateway needs one for each eight streams. */
const CONNECTIONS_MAX = 32;
/** Channels of one connection at once: MaxSessions of sshd_config(5). */
const CHANNELS_MAX = 10;
/** Wrong logins of one connection, after which it is cut: MaxAuthTries of sshd_config(5). */
const AUTH_TRIES_MAX = 6;
/** Time a connection may take to log in, in ms; LoginGraceTime of sshd, shorter because all is local. */
const LOGIN_GRACE_MS = 20_000;

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function createHostKey(): { privateKey: string; algorithm: string; fingerprint: string } {
  // One in a few hundred of the keys that ssh2 makes is one that it cannot read; the chance of ten in a row is nil.
  let pair = ssh2.utils.generateKeyPairSync('ed25519');
  for (let n = 0; n < 10 && ssh2.utils.parseKey(pair.private) instanceof Error; n++) {
    pair = ssh2.utils.generateKeyPairSync('ed25519');
  }
  const [algorithm = '', blob = ''] = pair.public.split(' ');
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '');
  return { privateKey: pair.private, algorithm, fingerprint: `SHA256:${hash}` };
}

/**
 * A server for people who have none at hand: an SSH server on loopback, in this process, whose journalctl and systemctl
 * answer from a simulated machine [RUN-1]. Password and host key are new at each start. It serves `exec` alone; shells,
 * terminals, files and forwarding are refused, and no program is ever started.
 */
export function createDemoNode({ logger, clock = Date, random }: DemoNodeDeps): DemoNode {
  const log = logger.child({ part: 'demo-node' });
  const sockets = new Set<Socket>();
  /** Timers of sockets that have not logged in yet, by their remote port: all that ssh2 tells of a connection's socket. */
  const logins = new Map<number, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let server: Server | undefined;
  let endLive: (() => void) | undefined;
  let started: Promise<DemoAccess> | undefined;
  let stopped: Promise<void> | undefined;

  function authenticate(connection: Connection, password: Buffer) {
    let tries = 0;
    return (context: AuthContext) => {
      if (
        context.method === 'password' &&
        timingSafeEqual(digest(context.password), password) &&
        context.username === USERNAME
      ) {
        context.accept();
        return;
      }
      // "none" only asks which methods there are (RFC 4252 section 5.2).
      if (context.method !== 'none' && ++tries >= AUTH_TRIES_MAX) connection.end();
      else context.reject(['password']);
    };
  }

  /** Runs one command on its channel, then closes the channel with the exit code. */
  async function serve(channel: ServerChannel, command: string, host: SimulatedHost, ended: AbortController) {
    const done = () => ended.abort();
    channel.on('error', done);
    channel.once('close', done);
    // What a client sends to a command's standard input is read and dropped; it must not fill the window.
    channel.resume();
    let code: number;
    try {
      code = await runCommand(command, host, {
        out: (data) => write(channel, data, ended.signal),
        err: (text) => void (channel.writable && channel.stderr.write(text)),
        signal: ended.signal,
        now: () => clock.now(),
      });
    } catch (error) {
      log.error('A simulated command failed', { error });
      code = 1;
    }
    if (channel.destroyed || !channel.writable) return;
    channel.exit(code);
    channel.end();
  }

  function handleSession(session: Session, host: SimulatedHost, closed: () => void): void {
    const ended = new AbortController();
    let taken = false;
    session.on('exec', (accept, reject, info) => {
      if (taken) {
        reject?.();
        return;
      }
      taken = true;
      const channel = accept();
      const work = serve(channel, info.command, host, ended).finally(() => running.delete(work));
      running.add(work);
    });
    session.on('signal', (accept) => {
      accept?.();
      ended.abort();
    });
    session.once('close', () => {
      ended.abort();
      closed();
    });
  }

  function handleConnection(
    connection: Connection,
    host: SimulatedHost,
    password: Buffer,
    loggedIn: () => void,
  ): void {
    let channels = 0;
    connection.on('error', (error) => log.debug('A connection failed', { error: error.message }));
    connection.on('authentication', authenticate(connection, password));
    connection.once('ready', loggedIn);
    connection.on('session', (accept, reject) => {
      if (channels >= CHANNELS_MAX) {
        reject();
        return;
      }
      channels++;
      handleSession(accept(), host, () => channels--);
    });
  }

  /** Counts sockets before ssh2 knows them as connections, so that silent ones are bounded and end too. */
  function handleSocket(socket: Socket, ssh: ssh2.Server): void {
    if (stopped || sockets.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    const port = socket.remotePort ?? 0;
    const grace = setTimeout(() => socket.destroy(), LOGIN_GRACE_MS);
    grace.unref();
    logins.set(port, grace);
    socket.once('close', () => {
      clearTimeout(grace);
      sockets.delete(socket);
      logins.delete(port);
    });
    ssh.injectSocket(socket);
  }

  async function listen(): Promise<DemoAccess> {
    const password = randomBytes(18).toString('base64url');
    const { privateKey, ...hostKey } = createHostKey();
    const host = createHost({ now: clock.now(), random: random ?? seededRandom(randomInt(2 ** 32)) });
    const passwordDigest = digest(password);
    const ssh = new ssh2.Server({ hostKeys: [privateKey], ident: IDENT }, (connection, { port }) =>
      handleConnection(connection, host, passwordDigest, () => clearTimeout(logins.get(port))),
    );
    const opened = createServer((socket) => handleSocket(socket, ssh));
    server = opened;
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject);
      opened.listen(0, LISTEN_HOST, resolve);
    });
    opened.on('error', (error) => log.warn('The demo node failed', { error: error.message }));
    const address = opened.address();
    if (address === null || typeof address === 'string') throw new Error('the demo node has no port');
    endLive = runLive(host, clock);
    log.info('Demo node is up', { port: address.port });
    return { host: LISTEN_HOST, port: address.port, username: USERNAME, password, hostKey };
  }

  async function close(): Promise<void> {
    await started?.catch(() => {});
    endLive?.();
    const closed = new Promise<void>((resolve) => {
      if (server) server.close(() => resolve());
      else resolve();
    });
    for (const socket of sockets) socket.destroy();
    await closed;
    await Promise.all(running);
  }

  return {
    start() {
      if (stopped) return Promise.reject(new Error('the demo node was stopped'));
      started ??= listen();
      return started;
    },
    stop() {
      stopped ??= close();
      return stopped;
    },
  };
}

/**
 * Writes to a channel at the reader's pace: where ssh2 says that its window or buffer is full, waits until it drains.
 * Lets others have their turn in any case, so that a large output does not hold the process up.
 */
async function write(channel: ServerChannel, data: string | Buffer, signal: AbortSignal): Promise<void> {
  if (signal.aborted || !channel.writable) return;
  if (channel.write(data)) {
    await setImmediate();
    return;
  }
  await new Promise<void>((resolve) => {
    const done = () => {
      channel.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    channel.on('drain', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
