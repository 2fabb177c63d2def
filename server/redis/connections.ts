import { Redis, type RedisOptions } from 'ioredis';
import { AppError } from '../core/errors.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import { errorText, toStoreError } from './errors.ts';
import { limitReplyTime } from './reply-time.ts';
import { parseRedisUrl } from './url.ts';

export type RedisClient = Redis;
/** Replies keep the shapes of RESP2, which is what the library's types describe. */
type ClientOptions = RedisOptions & { replyMapping?: 'legacy' };

/** What a connection is for; each kind has the time limits it can bear. */
export type ConnectionKind = 'commands' | 'subscriber' | 'blocking';

/** Longest BLOCK, in ms, that may be used on a blocking connection; its socket is given up at twice that. */
export const BLOCK_MAX_MS = 2000;

/** Redis may be silent this long, ms, when a reply is due. A healthy one answers in under 10; users wait for this. */
const COMMAND_TIMEOUT = 1000;
/** How long a command waits for a connection that is just being set up again, ms. With the above: 1.4 s of silence. */
const RECONNECT_PATIENCE = 400;
/** Commands waiting for that at one time; beyond it they fail at once. */
const MAX_WAITING = 10_000;
/** TCP and TLS set-up, ms. */
const CONNECT_TIMEOUT = 2000;
/** After this long without a byte although a reply is due, the socket is dead, ms (a frozen server still ACKs: redis/ioredis#1021). */
const SOCKET_TIMEOUT = 2500;
/** Forced close where the other side does not answer our FIN, ms. */
const DISCONNECT_TIMEOUT = 500;
/** Reconnect delay, ms: doubles from the first to the last, random upper half, for ever. */
const RETRY_FIRST = 50;
const RETRY_LAST = 2000;
/** Own traffic so that a hung server is noticed without anyone asking, ms. */
const HEARTBEAT = 1000;
/** Changes of state within this time are one line in the log, ms. */
const LOG_QUIET = 5000;

export interface RedisHealth {
  up: boolean;
  /** Epoch ms of the last change. */
  since: number;
  /** Round trip of the last heartbeat in ms; null where none came back yet. */
  latencyMs: number | null;
}

export interface RedisConnections extends Stoppable {
  /** For everything that answers at once. Has no offline queue: prefer `run`, which waits out a short reconnect. */
  readonly commands: RedisClient;
  /** The URL without credentials. */
  readonly label: string;
  /** A new connection for pub/sub, re-subscribed by itself and kept honest by pings. */
  subscriber(): RedisClient;
  /** A new connection for `XREAD BLOCK` up to BLOCK_MAX_MS; fails at once while Redis is away, so wait with `whenUp`. */
  blocking(): RedisClient;
  /** A new connection of that kind, closed by `stop` or by its own `disconnect`. */
  duplicate(kind: ConnectionKind): RedisClient;
  /** Runs commands; gives up after about 1.4 s without a word of Redis. @throws AppError store_unavailable */
  run<T>(work: (redis: RedisClient) => Promise<T>): Promise<T>;
  isUp(): boolean;
  /** True once Redis answers, false after `timeoutMs`. */
  whenUp(timeoutMs: number): Promise<boolean>;
  /** Called on each change to up; returns its remover. */
  onUp(listener: () => void): () => void;
  /** Called on each change to down; returns its remover. */
  onDown(listener: () => void): () => void;
  /** Round trip in ms. @throws AppError store_unavailable */
  ping(): Promise<number>;
  health(): RedisHealth;
}

/** Reconnect delay in ms before attempt `attempt` (1, 2, ...): never ends, since a Redis that is away comes back. */
export function retryDelay(attempt: number): number {
  const ceiling = Math.min(RETRY_FIRST * 2 ** Math.min(attempt - 1, 10), RETRY_LAST);
  return Math.round(ceiling / 2 + (Math.random() * ceiling) / 2);
}

function optionsFor(kind: ConnectionKind, address: RedisOptions): ClientOptions {
  const common: ClientOptions = {
    ...address,
    replyMapping: 'legacy',
    connectionName: `tailwire-${kind}`,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: DISCONNECT_TIMEOUT,
    keepAlive: 10_000,
    socketTimeout: SOCKET_TIMEOUT,
    retryStrategy: retryDelay,
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: COMMAND_TIMEOUT,
    // After a fail-over the old primary is a replica: go and ask the sentinels again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    // A command whose reply was lost may have been carried out; whether to repeat it is the caller's decision.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    // 0: on every close all that is in flight is rejected at once.
    maxRetriesPerRequest: 0,
  };
  if (kind === 'commands') return common;
  if (kind === 'blocking') return { ...common, socketTimeout: 2 * BLOCK_MAX_MS };
  // Subscriptions are few and must outlive an outage, so these alone may queue.
  return { ...common, enableOfflineQueue: true, maxRetriesPerRequest: null };
}

/**
 * The connections of one instance to Redis (redis://, rediss://, redis+sentinel://). Returns at once; while Redis is away
 * it retries for ever and says so once. One primary, with or without Sentinel; Redis Cluster is not supported.
 * @throws SettingError where the URL is malformed
 */
export function createRedis(deps: { url: string; logger: Logger }): RedisConnections {
  const { label, options } = parseRedisUrl(deps.url);
  const logger = deps.logger;
  const clients = new Map<RedisClient, ConnectionKind>();
  const upListeners = new Set<() => void>();
  const downListeners = new Set<() => void>();
  const waiting = new Set<(up: boolean) => void>();
  let up = false;
  let since = Date.now();
  let latencyMs: number | null = null;
  let lastError = '';
  let logged: boolean | null = null;
  let loggedAt = Number.NEGATIVE_INFINITY;
  let logTimer: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | undefined;

  function logState(): void {
    if (logTimer !== undefined || logged === up || stopping) return;
    const quietFor = loggedAt + LOG_QUIET - performance.now();
    if (quietFor > 0) {
      logTimer = setTimeout(() => {
        logTimer = undefined;
        logState();
      }, quietFor).unref();
      return;
    }
    if (up) logger.info('redis up', { redis: label });
    else logger.warn('redis down: it is tried again until it answers', { redis: label, reason: lastError });
    logged = up;
    loggedAt = performance.now();
  }

  function setUp(now: boolean): void {
    if (up !== now) {
      up = now;
      since = Date.now();
      if (up) for (const resolve of waiting) resolve(true);
      for (const listener of [...(up ? upListeners : downListeners)]) {
        try {
          listener();
        } catch (error) {
          logger.error('a listener of the redis state failed', { reason: errorText(error) });
        }
      }
    }
    logState();
  }

  function duplicate(kind: ConnectionKind): RedisClient {
    const client = new Redis(optionsFor(kind, options));
    if (kind === 'commands') limitReplyTime(client, COMMAND_TIMEOUT);
    clients.set(client, kind);
    // Without a listener an 'error' would be printed raw, or end the process (socketio/socket.io-redis-adapter#190).
    client.on('error', (error) => {
      lastError = errorText(error);
      logger.debug('redis connection error', { kind, reason: lastError });
      if (client === commands && client.status !== 'ready') setUp(false);
    });
    client.once('end', () => clients.delete(client));
    return client;
  }

  const commands = duplicate('commands');
  commands.on('ready', () => setUp(true));
  commands.on('close', () => setUp(false));

  async function beat(): Promise<void> {
    for (const [client, kind] of clients) {
      // Its own timer (socketTimeout) closes a subscriber that does not answer.
      if (kind === 'subscriber' && client.status === 'ready') client.ping().catch(() => undefined);
    }
    if (commands.status !== 'ready') return;
    const started = performance.now();
    try {
      await commands.ping();
      latencyMs = performance.now() - started;
      if (commands.status === 'ready') setUp(true);
    } catch (error) {
      lastError = errorText(error);
      setUp(false);
    }
  }
  const heartbeat = setInterval(() => void beat(), HEARTBEAT).unref();

  function whenUp(timeoutMs: number): Promise<boolean> {
    if (up || stopping || waiting.size >= MAX_WAITING) return Promise.resolve(up);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), timeoutMs);
      const settle = (answer: boolean): void => {
        clearTimeout(timer);
        waiting.delete(settle);
        resolve(answer);
      };
      waiting.add(settle);
    });
  }

  async function run<T>(work: (redis: RedisClient) => Promise<T>): Promise<T> {
    if (!(await whenUp(RECONNECT_PATIENCE)))
      throw new AppError('store_unavailable', { cause: new Error(lastError) });
    try {
      return await work(commands);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  function listen(listeners: Set<() => void>, listener: () => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  async function stop(): Promise<void> {
    clearInterval(heartbeat);
    clearTimeout(logTimer);
    upListeners.clear();
    downListeners.clear();
    for (const resolve of waiting) resolve(false);
    await Promise.all([...clients.keys()].map(closeClient));
  }

  return {
    commands,
    label,
    subscriber: () => duplicate('subscriber'),
    blocking: () => duplicate('blocking'),
    duplicate,
    run,
    isUp: () => up,
    whenUp,
    onUp: (listener) => listen(upListeners, listener),
    onDown: (listener) => listen(downListeners, listener),
    async ping() {
      const started = performance.now();
      await run((redis) => redis.ping());
      return performance.now() - started;
    },
    health: () => ({ up, since, latencyMs }),
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Closes a connection in whatever state it is, at most DISCONNECT_TIMEOUT and a little. */
function closeClient(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    // Between two attempts there is no socket whose end could be awaited.
    const idle = client.status === 'reconnecting' || client.status === 'end';
    const timer = setTimeout(resolve, DISCONNECT_TIMEOUT + 500);
    client.once('end', () => {
      clearTimeout(timer);
      resolve();
    });
    client.disconnect();
    if (idle) {
      clearTimeout(timer);
      resolve();
    }
  });
}
