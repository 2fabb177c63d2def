import type { Server, Socket } from 'socket.io';
import type { ClientToServerEvents, ServerToClientEvents } from '../../shared/events.ts';
import { normalizeUnit } from '../../shared/unit-name.ts';
import type { BusTopic } from '../cluster/bus.ts';
import { AppError } from '../core/errors.ts';
import type { Viewer } from '../logs/viewer.ts';
import type { Session } from '../sessions/types.ts';
import type { StatusSubscription } from '../status/types.ts';
import { createEngineWriter, type EngineConnection } from './engine-writer.ts';
import { createRoomMember, type RoomMember } from './room-member.ts';

/** What instances tell each other through the adapter. */
export interface InterServerEvents {
  bus: (topic: BusTopic, message: unknown) => void;
}

export interface SocketData {
  /** The first valid token of the handshake and its session. */
  login?: { token: string; session: Session };
}

export type GatewayServer = Server<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>;
export type GatewaySocket = Socket<ClientToServerEvents, ServerToClientEvents, InterServerEvents, SocketData>;

/** Log subscriptions of one connection at a time. */
export const SUBSCRIPTIONS_MAX = 32;

/** One log subscription of a connection, from the moment it is asked for. */
export interface LogSubscription {
  /** Resolves with the viewer, or with null where the client unsubscribed meanwhile. */
  opened: Promise<Viewer | null>;
  viewer: Viewer | null;
  cancelled: boolean;
}

/** One client connection and what it has going on. */
export interface Connection {
  readonly socket: GatewaySocket;
  /** The client's address, for limits and the log. */
  readonly address: string;
  login: { token: string; session: Session } | null;
  /** By unit. */
  readonly logs: Map<string, LogSubscription>;
  status: StatusSubscription | null;
  /** The interval asked for last, in ms; null while no status is wanted, which may change while it is being set up. */
  statusInterval: number | null;
  /** Reads of history under way. */
  readonly reads: Set<AbortController>;
  /** The connection as a member of rooms, and its tokens for them. */
  readonly member: RoomMember;
  readonly writer: ReturnType<typeof createEngineWriter>;
  /** Sends the `error` event of an AppError. */
  fail(error: AppError, service?: string): void;
  /** Ends what the connection has going on; the connection itself stays. Idempotent. */
  release(): void;
}

export function createConnection(
  socket: GatewaySocket,
  address: string,
  onError: (code: string) => void,
): Connection {
  const connection: Connection = {
    socket,
    address,
    login: null,
    logs: new Map(),
    status: null,
    statusInterval: null,
    reads: new Set(),
    member: createRoomMember(socket, () => connection),
    writer: createEngineWriter(() => socket.conn as unknown as EngineConnection),
    fail(error, service) {
      onError(error.code);
      if (socket.connected) socket.emit('error', error.toPayload(service));
    },
    release() {
      for (const entry of connection.logs.values()) {
        entry.cancelled = true;
        entry.viewer?.stop();
      }
      connection.logs.clear();
      connection.status?.unsubscribe();
      connection.status = null;
      connection.statusInterval = null;
      for (const read of connection.reads) read.abort();
    },
  };
  return connection;
}

/** The session of a connection. @throws AppError not_authenticated */
export function requireSession(connection: Connection): Session {
  if (!connection.login) throw new AppError('not_authenticated');
  return connection.login.session;
}

/**
 * Checks a unit name from a client against what its session may watch [SIO-9], before anything reaches the host.
 * @throws AppError invalid_service
 */
export function allowedUnit(session: Session, units: readonly string[], service: unknown): string {
  const unit = normalizeUnit(service);
  if (unit === null || !(session.units ?? units).includes(unit)) throw new AppError('invalid_service');
  return unit;
}
