import type { Server, Socket } from 'socket.io';
import type { ClientToServerEvents, ServerToClientEvents } from '../../shared/events.ts';
import { normalizeUnit } from '../../shared/unit-name.ts';
import type { BusTopic } from '../cluster/bus.ts';
import { AppError } from '../core/errors.ts';
import { createMessageRate, type MessageRate, type RateVerdict } from '../core/message-rate.ts';
import type { Viewer } from '../logs/viewer.ts';
import type { Session } from '../sessions/types.ts';
import type { StatusSubscription } from '../status/types.ts';
import { createEngineWriter, type EngineWriter } from './engine-writer.ts';
import { createRoomMember, type RoomMember } from './room-member.ts';

/** What instances tell each other through the adapter. */
export interface InterServerEvents {
  bus: (topic: BusTopic, message: unknown) => void;
}

/** A valid token and its session. */
export interface Login {
  readonly token: string;
  readonly session: Session;
}

export interface SocketData {
  /** That of the handshake, until there is a connection. */
  login?: Login | null;
  connection?: Connection;
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
  login: Login | null;
  /** By unit. */
  readonly logs: Map<string, LogSubscription>;
  status: StatusSubscription | null;
  /** The interval asked for last, in ms; null while no status is wanted, which may change while it is being set up. */
  statusInterval: number | null;
  /** Reads of history under way. */
  readonly reads: Set<AbortController>;
  /** The connection as a member of rooms, and its tokens for them. */
  readonly member: RoomMember;
  readonly writer: EngineWriter;
  /** Whether one message more is within the limit [WS-5]. */
  countMessage(): RateVerdict;
  /** Sends the `error` event of an AppError. */
  fail(error: AppError, service?: string): void;
  /** Ends what the connection has going on; the connection itself stays. Idempotent. */
  release(): void;
  /** A token for rooms has been added. */
  roomTokenAdded(): void;
  /** A token for rooms has expired and does not count any more. */
  roomTokenExpired(): void;
}

/** What all connections have in common. */
export interface ConnectionRules {
  /** Messages a second. */
  messageRate: number;
  onError(code: string): void;
  onRoomTokenAdded(connection: Connection): void;
  onRoomTokenExpired(connection: Connection): void;
}

/** A class, so that thousands of connections share its code; what most of them never use is made at its first use. */
class ClientConnection implements Connection {
  readonly socket: GatewaySocket;
  readonly address: string;
  readonly member: RoomMember;
  readonly writer: EngineWriter;
  login: Login | null = null;
  status: StatusSubscription | null = null;
  statusInterval: number | null = null;
  private readonly rules: ConnectionRules;
  private openLogs: Map<string, LogSubscription> | null = null;
  private openReads: Set<AbortController> | null = null;
  private rate: MessageRate | null = null;

  constructor(socket: GatewaySocket, address: string, rules: ConnectionRules) {
    this.socket = socket;
    this.address = address;
    this.rules = rules;
    this.member = createRoomMember(this);
    this.writer = createEngineWriter(socket);
  }

  get logs(): Map<string, LogSubscription> {
    this.openLogs ??= new Map();
    return this.openLogs;
  }

  get reads(): Set<AbortController> {
    this.openReads ??= new Set();
    return this.openReads;
  }

  countMessage(): RateVerdict {
    const now = performance.now();
    this.rate ??= createMessageRate(this.rules.messageRate, now);
    return this.rate.count(now);
  }

  fail(error: AppError, service?: string): void {
    this.rules.onError(error.code);
    if (this.socket.connected) this.socket.emit('error', error.toPayload(service));
  }

  release(): void {
    for (const entry of this.openLogs?.values() ?? []) {
      entry.cancelled = true;
      entry.viewer?.stop();
    }
    this.openLogs?.clear();
    this.status?.unsubscribe();
    this.status = null;
    this.statusInterval = null;
    for (const read of this.openReads ?? []) read.abort();
  }

  roomTokenAdded(): void {
    this.rules.onRoomTokenAdded(this);
  }

  roomTokenExpired(): void {
    this.rules.onRoomTokenExpired(this);
  }
}

export function createConnection(socket: GatewaySocket, address: string, rules: ConnectionRules): Connection {
  return new ClientConnection(socket, address, rules);
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
