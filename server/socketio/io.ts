import { createServer } from 'node:http';
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

  const forward = (topic: BusTopic, message: unknown) => {
    io.serverSideEmit('bus', topic, message);
  };
  const bus = deps.adapter ? createBus(forward) : createBus();
  io.on('bus', bus.deliver);
  return { io, bus };
}
