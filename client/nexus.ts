import { CLOSE_CODES, type CloseName } from '../shared/close-codes.ts';
import { ERRORS, type ErrorCode } from '../shared/errors.ts';
import type { NexusAnswer, NexusRequest } from '../shared/nexus.ts';
import { type BackoffOptions, backoffDelay } from './backoff.ts';
import { type LocalErrorCode, localError } from './errors.ts';
import { createNexusChannels, type NexusFilters, type NexusListener } from './nexus-channels.ts';
import { createNexusQueue } from './nexus-queue.ts';
import { endSocket, type NexusWebSocket } from './nexus-socket.ts';
import { createStore } from './store.ts';

export interface NexusOptions {
  /** Address of the endpoint, for example `wss://gateway.example.com/ws`. */
  url: string;
  /** The JWT; or `getToken`, which is asked before each attempt. */
  token?: string;
  getToken?: () => string | Promise<string>;
  /** Constructor for Node without a global one: that of `ws`. */
  WebSocket?: new (
    url: string,
    protocols?: string[],
  ) => NexusWebSocket;
  /** Sub-protocols that carry the token; `nexus` and `bearer.TOKEN` unless told, so that it is in no URL. */
  protocols?: (token: string) => string[];
  /** Messages that wait while there is no connection; 1000 unless told, and never more than 4 Mi characters. */
  queueMax?: number;
  /** Waits between attempts; 1 s doubling to 30 s unless told, the upper half of each at random. */
  backoff?: BackoffOptions;
  /** Ms between two pings that find out a dead connection, 25 s unless told; an answer has as long, 10 s at most. */
  pingIntervalMs?: number;
}

export interface NexusError {
  readonly code: ErrorCode | CloseName | LocalErrorCode;
  readonly message: string;
  /** WebSocket close code, where the connection was closed. */
  readonly closeCode: number | null;
}

export interface NexusState {
  /** denied: trying again cannot help; only `reconnect`, best with another token, does. */
  readonly status: 'connecting' | 'open' | 'reconnecting' | 'closed' | 'denied';
  /** Why it is not open, or the last error that the server answered with. */
  readonly error: NexusError | null;
  /** The user the token names; null until the server has said it. */
  readonly userId: string | null;
  /** Attempts since the connection was last good, the running one included. */
  readonly attempt: number;
  /** Epoch ms of the next attempt; null when none is waiting. */
  readonly nextRetryAt: number | null;
  /** Round trip of the last ping, in ms. */
  readonly latencyMs: number | null;
}

export interface NexusClient {
  /** The same object until it changes. */
  getState(): NexusState;
  /** @returns the remover */
  onState(listener: () => void): () => void;
  /**
   * Listens to a channel, through every reconnect. A filter of several that has ended costs nothing but traffic.
   * @returns unsubscribe; calling it twice is harmless
   * @throws TypeError where the filters cannot be written as JSON
   */
  subscribe(channel: string, options: { filters?: NexusFilters }, listener: NexusListener): () => void;
  /**
   * Sends at most once; the protocol has no receipt, so what was on its way when a connection broke may be lost.
   * @returns `queued`: waits for the connection, in order. `refused`: no room, or the client is closed or denied
   * @throws TypeError where the payload cannot be written as JSON
   */
  publish(channel: string, payload: unknown): 'sent' | 'queued' | 'refused';
  /** One at a time: callers share it. @returns the round trip in ms; null where there is no connection or no answer in 10 s */
  ping(): Promise<number | null>;
  /** Tries now; `token` replaces the one in use. Also ends `denied` and `closed`. */
  reconnect(token?: string): void;
  /** Ends everything: subscriptions, queue, timers. @returns when the connection is gone, at most 2 s */
  close(): Promise<void>;
}

const BACKOFF = { baseMs: 1000, maxMs: 30_000 };
/** From the token to the greeting, in ms. */
const CONNECT_TIMEOUT = 10_000;
/** A ping without an answer this long, in ms, means a dead connection. */
const PONG_TIMEOUT = 10_000;
/** In ms: below the idle times of usual proxies (60 s). */
const PING_INTERVAL = 25_000;
/** A connection that was open this long was good, in ms: the next attempts start anew. */
const GOOD_AFTER = 5000;
/** Refusals with 401 or 403 in a row: one may come from a proxy or from a token that was just being renewed. */
const REFUSALS_MAX = 3;
/** Waiting messages go out in groups, `PUMP_GROUP` every `PUMP_MS`: 80 a second is below the server's 100. */
const PUMP_GROUP = 20;
const PUMP_MS = 250;
/** Bytes in the socket's own buffer: past that it is not reading, and messages wait here instead. */
const BUFFERED_MAX = 1024 * 1024;
const OPEN = 1;

const CLOSES = new Map<number, CloseName>(
  Object.entries(CLOSE_CODES).map(([name, row]) => [row.code, name as CloseName]),
);

/**
 * A client of the Nexus channels [WS-1] that connects at once and comes back for as long as that can help. It stops as
 * `denied` where the close code says so, or after three refusals (401, 403) in a row: those can be told from a bad
 * network only with `ws`, because browsers hide the status.
 *
 * @throws TypeError where there is no WebSocket constructor
 */
export function createNexusClient(options: NexusOptions): NexusClient {
  const { protocols = (token: string) => ['nexus', `bearer.${token}`], pingIntervalMs = PING_INTERVAL } =
    options;
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (typeof Socket !== 'function') throw new TypeError('No WebSocket here: pass that of ws.');
  const backoff = { ...BACKOFF, ...options.backoff };
  const queue = createNexusQueue(options.queueMax);
  const channels = createNexusChannels(() => pump());
  const state = createStore<NexusState>({
    status: 'connecting',
    error: null,
    userId: null,
    attempt: 0,
    nextRetryAt: null,
    latencyMs: null,
  });
  let getToken = options.getToken ?? (() => options.token ?? '');
  let socket: NexusWebSocket | null = null;
  /** Counts attempts; whatever belongs to an older one is not listened to. */
  let generation = 0;
  let attempts = 0;
  let refusals = 0;
  let openedAt: number | null = null;
  /** The next attempt, or the end of patience with the present one. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pumpTimer: ReturnType<typeof setTimeout> | undefined;
  let pingTimer: ReturnType<typeof setInterval> | undefined;
  let closing: Promise<void> | null = null;
  let pinging: { answer: Promise<number | null>; end(answered: boolean): void } | null = null;

  const update = (change: Partial<NexusState>) => state.set({ ...state.get(), ...change });
  const isOpen = () => state.get().status === 'open' && socket?.readyState === OPEN;
  const send = (request: NexusRequest) => socket?.send(JSON.stringify(request));

  function pump(): void {
    if (pumpTimer !== undefined || !isOpen()) return;
    let left = PUMP_GROUP;
    while (left > 0 && !isFull()) {
      const requests = channels.nextRequests();
      const text = requests === null ? queue.shift() : undefined;
      if (requests === null && text === undefined) return;
      for (const request of requests ?? []) send(request);
      if (text !== undefined) socket?.send(text);
      left -= requests?.length ?? 1;
    }
    pumpTimer = setTimeout(() => {
      pumpTimer = undefined;
      pump();
    }, PUMP_MS);
  }

  function isFull(): boolean {
    return (socket?.bufferedAmount ?? 0) > BUFFERED_MAX;
  }

  /** Lets go of the present attempt. @returns its socket */
  function release(): NexusWebSocket | null {
    const old = socket;
    generation += 1;
    socket = null;
    clearTimeout(timer);
    clearTimeout(pumpTimer);
    clearInterval(pingTimer);
    pumpTimer = undefined;
    pinging?.end(false);
    if (openedAt !== null && Date.now() - openedAt >= GOOD_AFTER) attempts = 0;
    openedAt = null;
    return old;
  }

  function drop(): void {
    const old = release();
    if (old !== null) void endSocket(old);
  }

  function deny(error: NexusError): void {
    drop();
    update({ status: 'denied', error, userId: null, nextRetryAt: null });
  }

  function lost(error: NexusError): void {
    drop();
    const delay = backoffDelay(attempts + 1, backoff);
    timer = setTimeout(() => attempt(), delay);
    update({ status: 'reconnecting', error, userId: null, nextRetryAt: Date.now() + delay });
  }

  function attempt(change: Partial<NexusState> = {}): void {
    drop();
    const mine = generation;
    attempts += 1;
    timer = setTimeout(() => lost(local('timeout')), CONNECT_TIMEOUT);
    Promise.resolve()
      .then(getToken)
      .then(
        (token) => {
          if (mine === generation) open(token);
        },
        () => {
          if (mine === generation) lost(local('network', 'There is no token at present.'));
        },
      );
    // Last: a listener may close the client.
    update({ ...change, attempt: attempts, nextRetryAt: null });
  }

  function open(token: string): void {
    const mine = generation;
    let status = 0;
    let made: NexusWebSocket;
    try {
      made = new Socket(options.url.replace(/^http/, 'ws'), protocols(token));
    } catch {
      // What the constructor says may hold the token.
      deny({ code: 'invalid_request', message: 'Malformed address or token.', closeCode: null });
      return;
    }
    socket = made;
    made.addEventListener('error', (event) => {
      // The words of `ws`; a browser's event says nothing.
      status = Number(/^Unexpected server response: (\d+)$/.exec(String(event.message))?.[1] ?? 0);
    });
    made.addEventListener('close', ({ code }) => {
      if (mine === generation) ended(code ?? 1006, status);
    });
    made.addEventListener('message', ({ data }) => {
      if (mine === generation) receive(data);
    });
  }

  function ended(closeCode: number, status: number): void {
    const refused = status === 401 || status === 403;
    const name = CLOSES.get(closeCode);
    if (refused) {
      refusals += 1;
      const code = status === 401 ? 'not_authenticated' : 'invalid_token';
      const stop = refusals >= REFUSALS_MAX ? deny : lost;
      stop({ code, message: ERRORS[code].message, closeCode: null });
    } else if (name === undefined) {
      lost({ ...local('network'), closeCode });
    } else {
      const { reason, mayReconnect } = CLOSE_CODES[name];
      const stop = mayReconnect ? lost : deny;
      stop({ code: name, message: reason, closeCode });
    }
  }

  function receive(data: unknown): void {
    const answer = readAnswer(data);
    switch (answer?.type) {
      case 'connected':
        clearTimeout(timer);
        refusals = 0;
        openedAt = Date.now();
        channels.forget();
        pingTimer = setInterval(check, pingIntervalMs);
        update({ status: 'open', error: null, userId: answer.userId });
        pump();
        break;
      case 'message':
      case 'broadcast':
        channels.deliver(answer);
        break;
      case 'pong':
        pinging?.end(true);
        break;
      case 'error':
        update({
          error: { code: codeOf(answer.code), message: answer.message, closeCode: null },
        });
        break;
    }
  }

  function ping(): Promise<number | null> {
    if (pinging !== null) return pinging.answer;
    if (!isOpen()) return Promise.resolve(null);
    const startedAt = performance.now();
    let resolve: (latency: number | null) => void = () => {};
    const answer = new Promise<number | null>((done) => {
      resolve = done;
    });
    const limit = setTimeout(() => pinging?.end(false), Math.min(PONG_TIMEOUT, pingIntervalMs));
    pinging = {
      answer,
      end(answered) {
        clearTimeout(limit);
        pinging = null;
        const latencyMs = answered ? performance.now() - startedAt : null;
        if (latencyMs !== null) update({ latencyMs });
        resolve(latencyMs);
      },
    };
    send({ action: 'ping' });
    return answer;
  }

  function check(): void {
    const mine = generation;
    void ping().then((latency) => {
      if (latency === null && mine === generation) lost(local('timeout'));
    });
  }

  attempt();

  return {
    getState: state.get,
    onState: state.subscribe,
    subscribe: (channel, { filters = {} }, listener) => channels.add(channel, filters, listener),
    publish(channel, payload) {
      const text = JSON.stringify({ action: 'publish', channel, payload } satisfies NexusRequest);
      const { status } = state.get();
      if (status === 'closed' || status === 'denied') return 'refused';
      if (isOpen() && queue.size === 0 && !channels.pending && !isFull()) {
        socket?.send(text);
        return 'sent';
      }
      if (!queue.push(text)) return 'refused';
      pump();
      return 'queued';
    },
    ping,
    reconnect(token) {
      if (token !== undefined) getToken = () => token;
      const { status } = state.get();
      if (token === undefined && (status === 'open' || status === 'connecting')) return;
      attempts = 0;
      refusals = 0;
      closing = null;
      attempt({ status: 'connecting', error: null, userId: null });
    },
    close() {
      if (closing !== null) return closing;
      const old = release();
      channels.clear();
      queue.clear();
      closing = old === null ? Promise.resolve() : endSocket(old);
      const done = closing;
      update({ status: 'closed', error: null, userId: null, nextRetryAt: null });
      return done;
    },
  };
}

function local(code: LocalErrorCode, text?: string): NexusError {
  return { code, message: localError(code, text).message, closeCode: null };
}

function codeOf(code: string): ErrorCode | LocalErrorCode {
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'bad_answer';
}

/** Null for what is no JSON object. The types are the server's word: it has tests that hold it to them. */
function readAnswer(data: unknown): NexusAnswer | null {
  if (typeof data !== 'string') return null;
  try {
    const answer: unknown = JSON.parse(data);
    return typeof answer === 'object' && answer !== null ? (answer as NexusAnswer) : null;
  } catch {
    return null;
  }
}
