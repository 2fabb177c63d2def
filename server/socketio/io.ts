import type { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Server } from 'socket.io';
import { type Bus, type BusTopic, createBus } from '../cluster/bus.ts';
import { clientAddress, type ProxyTrust } from '../core/client-address.ts';
import { refuseHandshake } from '../core/refusal.ts';
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

interface EnginePacket {
  type: string;
  data?: unknown;
}

/** The part of an Engine.IO connection that is watched here. */
interface EngineSocket {
  on(event: 'packet', listener: (packet: EnginePacket) => void): unknown;
  on(event: 'upgrade', listener: (transport: EngineTransport) => void): unknown;
  on(event: 'close', listener: (this: EngineSocket) => void): unknown;
  close(discard: boolean): void;
  readonly transport: EngineTransport;
  readonly request: IncomingMessage;
}

/** Pings and pongs that a connection may send at once, and each second: clients send one in PING_INTERVAL_MS. */
const PULSE_BURST = 100;
const PULSE_RATE = 2;

/**
 * The limits of one connection below the events, which MESSAGE_RATE does not see: pings and pongs, and CONNECTs, each of
 * which costs a look at the session store and an answer.
 */
class EngineLimits {
  private readonly since = performance.now();
  private beats = 0;
  private connects = 0;
  private readonly engineSocket: EngineSocket;

  constructor(engineSocket: EngineSocket) {
    this.engineSocket = engineSocket;
  }

  countBeat(): void {
    this.beats += 1;
    if (this.beats < PULSE_BURST + ((performance.now() - this.since) / 1000) * PULSE_RATE) return;
    this.engineSocket.close(true);
    this.engineSocket.transport.socket?.terminate();
  }

  countPacket({ type, data }: EnginePacket): void {
    if (type !== 'message') this.countBeat();
    else if (typeof data === 'string' && data.startsWith(CONNECT)) {
      this.connects += 1;
      if (this.connects > CONNECTS_MAX) this.engineSocket.close(true);
    }
  }
}

function limit(engineSocket: EngineSocket): void {
  const limits = new EngineLimits(engineSocket);
  const beat = () => limits.countBeat();
  engineSocket.on('packet', (packet) => limits.countPacket(packet));
  if (engineSocket.transport.socket) engineSocket.transport.socket.on('ping', beat);
  else engineSocket.on('upgrade', ({ socket }) => socket?.on('ping', beat));
}

/** Time for a client to answer the closing handshake, or to poll for it, in ms; it would be 30 s for one that does not. */
const CLOSE_TIMEOUT_MS = 2000;

function endClosed(this: EngineSocket): void {
  const { socket } = this.transport;
  if (socket) setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
}

/** Ends the connection of a client that does not take part in closing it. */
function limitClosing(engineSocket: EngineSocket): void {
  const { transport } = engineSocket;
  if (transport.closeTimeout !== undefined) transport.closeTimeout = CLOSE_TIMEOUT_MS;
  engineSocket.on('close', endClosed);
}

/**
 * What is kept of the request that a connection began with, instead of the whole of it for as long as the connection
 * lives. Socket.IO makes `socket.handshake` of it at every CONNECT, and looks into `connection` then.
 */
export interface KeptRequest {
  readonly headers: { readonly cookie?: string };
  readonly connection: object;
  /** The client's address, for limits and the log. */
  readonly address: string;
}

const NO_HEADERS: KeptRequest['headers'] = Object.freeze({});
const NO_CONNECTION = Object.freeze({});

export interface IoDeps {
  /** Origins that browsers on other hosts may come from, for CORS of the polling transport. */
  origins: readonly string[];
  proxyTrust: ProxyTrust;
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
    ...(deps.adapter ? { adapter: deps.adapter } : {}),
  });
  // The gateway decides about paths; the server given here never listens.
  io.attach(createServer());
  (io.engine as unknown as { ws: EventEmitter }).ws.on('wsClientError', refuseHandshake);
  io.engine.on('connection', (engineSocket: EngineSocket) => {
    limit(engineSocket);
    limitClosing(engineSocket);
    const { request } = engineSocket;
    const { cookie } = request.headers;
    const kept: KeptRequest = {
      headers: cookie === undefined ? NO_HEADERS : { cookie },
      connection: NO_CONNECTION,
      address: clientAddress(request, deps.proxyTrust),
    };
    Object.assign(engineSocket, { request: kept });
  });

  const forward = (topic: BusTopic, message: unknown) => {
    io.serverSideEmit('bus', topic, message);
  };
  const bus = deps.adapter ? createBus(forward) : createBus();
  io.on('bus', bus.deliver);
  return { io, bus };
}
