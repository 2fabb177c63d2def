import { io, type Socket } from 'socket.io-client';
import type { Authenticated, ClientToServerEvents, ServerToClientEvents } from '../shared/events.ts';
import { type BackoffOptions, backoffDelay, spread } from './backoff.ts';
import { type GatewayError, isSessionError, localError, readError } from './errors.ts';
import { createStore, type Store } from './store.ts';

export type GatewaySocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/**
 * idle: nobody needs the connection. connecting: first attempt. open: connected and authenticated. reconnecting: lost,
 * tried again without end. closed: closed on purpose. denied: the session is not valid, trying again cannot help.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'closed' | 'denied';

export interface ConnectionState {
  readonly status: ConnectionStatus;
  /** Why it is not open, or the last error event while it is; null once things work again. */
  readonly error: GatewayError | null;
  /** Attempts since the connection was lost, the running one included; 0 while open. */
  readonly attempt: number;
  /** Epoch ms of the next attempt; null when none is waiting. */
  readonly nextRetryAt: number | null;
  /** Round trip of the last acknowledged request, in ms. */
  readonly latencyMs: number | null;
  readonly transport: string | null;
  /** Who is logged in where; null until authenticated, and where the gateway does not say. */
  readonly session: Authenticated | null;
}

export const IDLE_STATE: ConnectionState = Object.freeze({
  status: 'idle',
  error: null,
  attempt: 0,
  nextRetryAt: null,
  latencyMs: null,
  transport: null,
  session: null,
});

export interface ConnectionOptions {
  /** Base URL of the gateway, with the path it is mounted under if any; the page's own origin unless given. */
  url?: string;
  /** Session token; without one the browser's cookie is used. */
  token?: string;
  /** Path of the Socket.IO endpoint. */
  path?: string;
  /** WebSocket alone unless told: long-polling needs sticky sessions when there are several instances. */
  transports?: readonly ('websocket' | 'polling')[];
  backoff?: BackoffOptions;
}

type AckEvent = 'subscribe_logs' | 'unsubscribe_logs' | 'log_history' | 'subscribe_status';
type AnswerOf<E extends AckEvent> = Parameters<NonNullable<Parameters<ClientToServerEvents[E]>[1]>>[0];
/** The answer of the gateway, or the reason why there is none: a value in both cases. */
export type Answer<E extends AckEvent> =
  | Extract<AnswerOf<E>, { ok: true }>
  | { readonly ok: false; readonly error: GatewayError };

export interface Connection {
  readonly state: Store<ConnectionState>;
  readonly socket: GatewaySocket;
  /** Opens it if it is not; does nothing while open or on the way. */
  open(): void;
  /** Closes it and stops trying. */
  close(status?: 'idle' | 'closed'): void;
  /** Tries now: ends a waiting time, a closed or a denied state, and a connection that was opened with another token. */
  reconnect(): void;
  /** Uses another token from now on; takes effect with the next `reconnect`. */
  setToken(token: string | undefined): void;
  /** Sends if open. @returns whether it was sent: nothing is kept for later, a stale request helps nobody */
  emit<E extends keyof ClientToServerEvents>(event: E, ...args: Parameters<ClientToServerEvents[E]>): boolean;
  /** Sends and waits for the ack, at most `timeoutMs`. Never rejects. */
  request<E extends AckEvent>(
    event: E,
    payload: Parameters<ClientToServerEvents[E]>[0],
    timeoutMs?: number,
  ): Promise<Answer<E>>;
  /** Something was delivered: the last error event is over. */
  clearError(): void;
}

/** The whole handshake, in ms: past that another attempt has better chances. */
const CONNECT_TIMEOUT = 10_000;
/**
 * From the first byte to `authenticated`, in ms: the gateway may have to log in to the host first. Longer than its own
 * limit for authenticating, so that it is the gateway that says what is missing.
 */
const AUTHENTICATE_TIMEOUT = 45_000;
/** Acks, in ms: an ack may wait for an SSH connection that is being set up. */
const ACK_TIMEOUT = 30_000;
/** A connection that was open this long was good, in ms: the next attempts start anew. */
const GOOD_AFTER = 5000;

/** `emit` without the types of each event, for `request`, where the event is a type parameter. */
interface LooseEmitter {
  emit(event: string, ...args: unknown[]): unknown;
}

/** One authenticated connection to a gateway that comes back by itself for as long as that can help. */
export function createConnection(options: ConnectionOptions = {}): Connection {
  const state = createStore<ConnectionState>(IDLE_STATE);
  let token = options.token;
  /** The token of the last attempt. */
  let tried = token;
  /** Attempts since the connection was last good: it may be open and still not be. */
  let attempts = 0;
  let authenticateTimer: ReturnType<typeof setTimeout> | null = null;
  let retryTimer: ReturnType<typeof setTimeout> | null = null;
  let openedAt: number | null = null;
  /** The wait that a draining server asked for, in ms. */
  let drainDelay: number | null = null;

  const socket = createSocket(options, () => token);

  function update(change: Partial<ConnectionState>): void {
    state.set({ ...state.get(), ...change });
  }

  function stopTimers(): void {
    if (retryTimer !== null) clearTimeout(retryTimer);
    if (authenticateTimer !== null) clearTimeout(authenticateTimer);
    retryTimer = null;
    authenticateTimer = null;
  }

  function wanted(): boolean {
    const { status } = state.get();
    return status === 'connecting' || status === 'open' || status === 'reconnecting';
  }

  function deny(error: GatewayError): void {
    stopTimers();
    openedAt = null;
    update({ status: 'denied', error, nextRetryAt: null, transport: null, session: null });
    socket.disconnect();
  }

  function start(): void {
    attempts = 0;
    state.set({ ...IDLE_STATE, status: 'connecting' });
    attemptNow();
  }

  function attemptNow(): void {
    stopTimers();
    attempts += 1;
    tried = token;
    update({ attempt: attempts, nextRetryAt: null });
    authenticateTimer = setTimeout(() => {
      socket.disconnect();
      lost(localError('timeout'));
    }, AUTHENTICATE_TIMEOUT);
    socket.connect();
  }

  function lost(error: GatewayError): void {
    if (!wanted() || retryTimer !== null) return;
    stopTimers();
    if (openedAt !== null && Date.now() - openedAt >= GOOD_AFTER) attempts = 0;
    const delay =
      drainDelay === null
        ? backoffDelay(attempts + 1, options.backoff)
        : spread(drainDelay, options.backoff?.random);
    openedAt = null;
    drainDelay = null;
    retryTimer = setTimeout(attemptNow, delay);
    const nextRetryAt = Date.now() + delay;
    update({ status: 'reconnecting', error, attempt: attempts, nextRetryAt, transport: null });
  }

  function close(status: 'idle' | 'closed' = 'closed'): void {
    stopTimers();
    openedAt = null;
    drainDelay = null;
    state.set({ ...IDLE_STATE, status });
    socket.disconnect();
  }

  socket.on('authenticated', (session) => {
    if (!wanted()) return;
    stopTimers();
    openedAt = Date.now();
    update({
      status: 'open',
      error: null,
      attempt: 0,
      nextRetryAt: null,
      transport: socket.io.engine?.transport.name ?? null,
      session: session ?? null,
    });
  });
  socket.on('connect_error', (cause) => {
    const error = readError(cause);
    if (error.retryable) lost(error);
    else deny(error);
  });
  socket.on('disconnect', () => {
    lost(
      drainDelay === null
        ? localError('network', 'The connection was lost.')
        : readError({ code: 'draining' }),
    );
  });
  socket.on('session_ended', () => deny(readError({ code: 'session_expired' })));
  socket.on('server_draining', ({ reconnectInMs }) => {
    drainDelay = reconnectInMs;
  });
  socket.on('error', (payload) => {
    const error = readError(payload, 'internal');
    if (isSessionError(error)) deny(error);
    // Without a token of its own the client relied on a cookie, and there was none.
    else if (error.code === 'auth_timeout' && token === undefined)
      deny(readError({ code: 'not_authenticated' }));
    else if (error.service === undefined) update({ error });
  });

  async function request<E extends AckEvent>(
    event: E,
    payload: Parameters<ClientToServerEvents[E]>[0],
    timeoutMs = ACK_TIMEOUT,
  ): Promise<Answer<E>> {
    if (state.get().status !== 'open' || !socket.connected) {
      return { ok: false, error: localError('not_connected') };
    }
    const startedAt = Date.now();
    const answer = await new Promise<unknown>((resolve) => {
      const emitter = socket.timeout(timeoutMs) as unknown as LooseEmitter;
      emitter.emit(event, payload, (error: Error | null, reply: unknown) => {
        resolve(error === null ? reply : localError(socket.connected ? 'timeout' : 'not_connected'));
      });
    });
    if (isSuccess<E>(answer)) {
      update({ latencyMs: Date.now() - startedAt });
      return answer;
    }
    const failure = answer as { error?: unknown } | undefined;
    return { ok: false, error: isGatewayError(answer) ? answer : readError(failure?.error, 'bad_answer') };
  }

  return {
    state,
    socket,
    open() {
      if (wanted()) return;
      start();
    },
    close,
    reconnect() {
      // What is open, or on the way, belongs to whoever the other token stands for.
      if (tried !== token && wanted()) close('idle');
      const { status } = state.get();
      if (status === 'open' || status === 'connecting') return;
      if (status === 'reconnecting') {
        // An attempt under way has no timer and is left to end.
        if (retryTimer !== null) attemptNow();
        return;
      }
      start();
    },
    setToken(next) {
      token = next;
    },
    emit(event, ...args) {
      if (state.get().status !== 'open' || !socket.connected) return false;
      socket.emit(event, ...args);
      return true;
    },
    request,
    clearError() {
      if (state.get().status === 'open' && state.get().error !== null) update({ error: null });
    },
  };
}

/** A socket that opens only when told; its own reconnecting is off. */
function createSocket(options: ConnectionOptions, token: () => string | undefined): GatewaySocket {
  const base = options.url === undefined ? null : new URL(options.url);
  // Socket.IO would take the path of the URL as a namespace.
  const path = `${base?.pathname.replace(/\/$/, '') ?? ''}${options.path ?? '/socket.io/'}`;
  const settings = {
    path,
    addTrailingSlash: path !== '/',
    transports: [...(options.transports ?? ['websocket'])],
    auth(reply: (data: object) => void) {
      const current = token();
      reply(current === undefined ? {} : { token: current });
    },
    withCredentials: true,
    autoConnect: false,
    forceNew: true,
    // Coming back is done here: it also covers refusals and disconnects by the server, and its waits are visible.
    reconnection: false,
    timeout: CONNECT_TIMEOUT,
  };
  return base === null ? io(settings) : io(base.origin, settings);
}

function isSuccess<E extends AckEvent>(answer: unknown): answer is Extract<Answer<E>, { ok: true }> {
  return typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true;
}

function isGatewayError(answer: unknown): answer is GatewayError {
  return typeof answer === 'object' && answer !== null && 'code' in answer && 'retryable' in answer;
}
