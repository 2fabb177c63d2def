import { createServer, type IncomingMessage } from 'node:http';
import { Server } from 'socket.io';
import { ERRORS } from '../../shared/errors.ts';
import { type Bus, type BusTopic, createBus } from '../cluster/bus.ts';
import type { OriginPolicy } from '../core/origin-policy.ts';
import type { createRedisAdapter } from './adapter.ts';
import type { GatewayServer } from './connection.ts';
import { tolerantParser } from './parser.ts';

/** Engine.IO heartbeat of the original gateway, in ms. */
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 30_000;
/** A transport that never joins a namespace is closed after this, in ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/** CONNECT packets of one connection: a client sends one, and one more after each refusal. */
const CONNECTS_MAX = 10;
/** The CONNECT packet of the Socket.IO protocol, v5. */
const CONNECT = '0';

/** `socket` is there for WebSocket alone, `closeTimeout` (ms, 30 s unless set) for polling. */
interface EngineTransport {
  readonly socket?: { on(event: 'ping', listener: () => void): unknown; terminate(): void };
  closeTimeout?: number;
}

/** The part of an Engine.IO connection that is watched here. */
interface EngineSocket {
  on(event: 'packet', listener: (packet: { type: string; data?: unknown }) => void): unknown;
  on(event: 'upgrade', listener: (transport: EngineTransport) => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  close(discard: boolean): void;
  readonly transport: EngineTransport;
}

/** Pings and pongs that a connection may send at once, and each second: clients send one in PING_INTERVAL_MS. */
const PULSE_BURST = 100;
const PULSE_RATE = 2;

/** Pings and pongs are answered below the events, so that MESSAGE_RATE does not see them. */
function limitPulse(engineSocket: EngineSocket): void {
  const since = performance.now();
  let beats = 0;
  const beat = () => {
    beats += 1;
    if (beats < PULSE_BURST + ((performance.now() - since) / 1000) * PULSE_RATE) return;
    engineSocket.close(true);
    engineSocket.transport.socket?.terminate();
  };
  const watch = ({ socket }: EngineTransport) => socket?.on('ping', beat);
  watch(engineSocket.transport);
  engineSocket.on('upgrade', watch);
  engineSocket.on('packet', ({ type }) => {
    if (type !== 'message') beat();
  });
}

/** Time for a client to answer the closing handshake, or to poll for it, in ms; it would be 30 s for one that does not. */
const CLOSE_TIMEOUT_MS = 2000;

/** Ends the connection of a client that does not take part in closing it. */
function limitClosing(engineSocket: EngineSocket): void {
  if (engineSocket.transport.closeTimeout !== undefined)
    engineSocket.transport.closeTimeout = CLOSE_TIMEOUT_MS;
  engineSocket.once('close', () => {
    const { socket } = engineSocket.transport;
    if (socket) setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  });
}

/** The engine decodes the query before anybody sees the request, so that `%73id` is `sid` for all. */
type EngineRequest = IncomingMessage & { _query?: { sid?: unknown } };

/** Every CONNECT costs a look at the session store and an answer, and none of them counts as an event of MESSAGE_RATE. */
function limitConnects(engineSocket: EngineSocket): void {
  let connects = 0;
  engineSocket.on('packet', ({ type, data }) => {
    if (type !== 'message' || typeof data !== 'string' || !data.startsWith(CONNECT)) return;
    connects += 1;
    if (connects > CONNECTS_MAX) engineSocket.close(true);
  });
}

export interface IoDeps {
  originAllowed: OriginPolicy;
  /** Origins that browsers on other hosts may come from, for CORS of the polling transport. */
  origins: readonly string[];
  maxPayloadBytes: number;
  /** The cluster's adapter; absent for a single instance. */
  adapter?: ReturnType<typeof createRedisAdapter>;
}

/** The Socket.IO server, not bound to a path or a port, and the bus between instances that its adapter carries. */
export function createIo(deps: IoDeps): { io: GatewayServer; bus: Bus } {
  const io: GatewayServer = new Server({
    parser: tolerantParser,
    serveClient: false,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxHttpBufferSize: deps.maxPayloadBytes,
    perMessageDeflate: false,
    httpCompression: false,
    cors: { origin: [...deps.origins], credentials: true },
    allowRequest: (request, decide) => {
      const allowed = deps.originAllowed(request.headers);
      decide(allowed ? null : ERRORS.origin_not_allowed.message, allowed);
    },
    ...(deps.adapter ? { adapter: deps.adapter } : {}),
  });
  // The gateway decides about paths; the server given here never listens.
  io.attach(createServer());
  // `allowRequest` is asked at the handshake alone; what names a connection by its id afterwards has an Origin, too.
  io.engine.use((request: EngineRequest, _response: unknown, next: (error?: Error) => void) => {
    const isLater = request._query?.sid !== undefined && request.method !== 'OPTIONS';
    next(isLater && !deps.originAllowed(request.headers) ? new Error('origin') : undefined);
  });
  io.engine.on('connection', limitConnects);
  io.engine.on('connection', limitClosing);
  io.engine.on('connection', limitPulse);

  const forward = (topic: BusTopic, message: unknown) => {
    io.serverSideEmit('bus', topic, message);
  };
  const bus = deps.adapter ? createBus(forward) : createBus();
  io.on('bus', bus.deliver);
  return { io, bus };
}
