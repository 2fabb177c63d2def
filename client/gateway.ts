import type { ServerToClientEvents } from '../shared/events.ts';
import { normalizeUnit } from '../shared/unit-name.ts';
import {
  type Connection,
  type ConnectionOptions,
  type ConnectionState,
  createConnection,
  type GatewaySocket,
} from './connection.ts';
import { readError } from './errors.ts';
import {
  createLogStream,
  type LogStream,
  type LogStreamControl,
  type LogStreamOptions,
} from './log-stream.ts';
import { createStatusFeed, type StatusFeed } from './status-feed.ts';
import { createUsage } from './usage.ts';

export interface GatewayOptions extends ConnectionOptions {
  /** How long the connection and each subscription outlive their last user, in ms. */
  lingerMs?: number;
  /** Settings of log streams: lines at the start, size of the buffer. */
  logs?: Omit<LogStreamOptions, 'lingerMs'>;
}

export interface GatewayClient {
  /** The connection's state: the same object until it changes. */
  getState(): ConnectionState;
  /** Watches the state without opening the connection. */
  subscribe(listener: () => void): () => void;
  /** Opens the connection and keeps it until released; several users share it. */
  retain(): () => void;
  /** Closes the connection for good, until `reconnect`. */
  close(): void;
  /** Tries now; `token` replaces the one in use, also that of an open connection. */
  reconnect(token?: string): void;
  emit: Connection['emit'];
  request: Connection['request'];
  /** Listens to an event of the gateway. @returns the remover */
  on<E extends keyof ServerToClientEvents>(event: E, handler: ServerToClientEvents[E]): () => void;
  /** The log stream of a service: one per service, whoever asks. */
  logs(service: string): LogStream;
  readonly status: StatusFeed;
  /** The Socket.IO socket below, for what has no place here. */
  readonly socket: GatewaySocket;
}

/** `on` without the types of each event. */
interface LooseSocket {
  on(event: string, handler: (...args: never[]) => void): unknown;
  off(event: string, handler: (...args: never[]) => void): unknown;
}

/**
 * A client of one Tailwire gateway: one connection, any number of log streams and one status feed on it. It does nothing
 * until something is retained or watched. Works in browsers and in Node.
 */
export function createGatewayClient(options: GatewayOptions = {}): GatewayClient {
  const connection = createConnection(options);
  const { socket, state } = connection;
  const linger = options.lingerMs === undefined ? {} : { lingerMs: options.lingerMs };
  const streams = new Map<string, LogStreamControl>();
  let removeWakers: (() => void) | null = null;

  const usage = createUsage({
    start() {
      removeWakers = listenForWaking(() => {
        if (state.get().status === 'reconnecting') connection.reconnect();
      });
      if (state.get().status === 'idle') connection.open();
    },
    end() {
      removeWakers?.();
      removeWakers = null;
      if (state.get().status !== 'closed') connection.close('idle');
    },
    ...linger,
  });
  const retain = () => usage.retain();
  const status = createStatusFeed({ connection, retainConnection: retain }, linger);

  let wasOpen = false;
  /** Whose lines and states are held: host and user of the last login; null where no gateway has told yet. */
  let holder: string | null = null;

  /** Another host, or another user of it, has nothing to do with what was shown before. */
  function forgetOthers(): void {
    const { session } = state.get();
    const present = session && JSON.stringify([session.host, session.username]);
    if (present === null || present === holder) return;
    if (holder !== null) {
      for (const stream of streams.values()) stream.onOtherSession();
      status.onOtherSession();
    }
    holder = present;
  }

  state.subscribe(() => {
    const open = state.get().status === 'open';
    if (open === wasOpen) return;
    wasOpen = open;
    if (open) forgetOthers();
    for (const stream of streams.values()) stream.onConnection(open);
    status.onConnection(open);
  });

  socket.on('log_batch', (batch) => {
    streams.get(batch.service)?.onBatch(batch);
    connection.clearError();
  });
  socket.on('log_gap', (gap) => streams.get(gap.service)?.onGap(gap));
  socket.on('status_update', (statuses) => {
    status.onUpdate(statuses);
    // All unknown means that the host does not answer: then the error is not over.
    if (statuses.every((unit) => unit.status === 'unknown')) return;
    connection.clearError();
    for (const stream of streams.values()) stream.onHostAnswer();
  });
  socket.on('status_transition', (transition) => status.onTransition(transition));
  socket.on('error', (payload) => {
    const error = readError(payload, 'internal');
    if (error.service !== undefined) streams.get(error.service)?.onError(error);
  });

  return {
    getState: state.get,
    subscribe: state.subscribe,
    retain,
    close: () => connection.close(),
    reconnect(token) {
      if (token !== undefined) connection.setToken(token);
      connection.reconnect();
    },
    emit: connection.emit,
    request: connection.request,
    on(event, handler) {
      const loose = socket as unknown as LooseSocket;
      loose.on(event, handler);
      return () => {
        loose.off(event, handler);
      };
    },
    logs(service) {
      // The gateway names units without `.service`; a name it will refuse keeps its own spelling.
      const name = normalizeUnit(service) ?? service;
      let stream = streams.get(name);
      if (stream === undefined) {
        stream = createLogStream(
          { service: name, connection, retainConnection: retain },
          { ...options.logs, ...linger },
        );
        streams.set(name, stream);
      }
      return stream;
    },
    status,
    socket,
  };
}

/** Calls back when a retry is worth while at once: the network is back, or the page is looked at again. */
function listenForWaking(wake: () => void): () => void {
  if (typeof window === 'undefined' || typeof window.addEventListener !== 'function') return () => {};
  window.addEventListener('online', wake);
  window.addEventListener('focus', wake);
  return () => {
    window.removeEventListener('online', wake);
    window.removeEventListener('focus', wake);
  };
}
