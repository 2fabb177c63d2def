import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { ERRORS } from '../../shared/errors.ts';
import { MAX_TOKEN } from '../../shared/events.ts';
import type { Bus } from '../cluster/bus.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { OriginPolicy } from '../core/origin-policy.ts';
import { refuseRequest, refuseUpgrade } from '../core/refusal.ts';
import { sessionTokens } from '../core/session-token.ts';
import { sleep } from '../core/sleep.ts';
import { createSlots } from '../core/slots.ts';
import type { Strangers } from '../core/strangers.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import type { Session, SessionEnd } from '../sessions/types.ts';
import { createAdmission, type EngineConnection } from './admission.ts';
import {
  type Connection,
  type ConnectionRules,
  createConnection,
  type GatewayServer,
  type GatewaySocket,
  type Login,
} from './connection.ts';
import { dispatch, refuseAck } from './dispatch.ts';
import type { HandlerDeps } from './handlers/types.ts';
import type { KeptRequest } from './io.ts';
import { requireRoomRight } from './room-member.ts';

/** Clients come back spread over this long when an instance drains, in ms. */
const DRAIN_SPREAD_MS = 3000;
/**
 * Reads of the journal (history, first lines through a filter) that one session may have going on at an instance, and
 * that may wait: each is a process on the host and takes part of this process' time. A dashboard needs one or two.
 */
const READS = { slots: 4, waiting: 32 };
/** Time for `session_ended` to leave, in ms; what a client has not taken by then is thrown away [SIO-8: 1 s]. */
const END_GRACE_MS = 300;
/** Time for the drain notice to leave before the connection is cut, in ms. */
const DRAIN_GRACE_MS = 200;

export interface GatewayDeps extends Omit<HandlerDeps, 'adopt' | 'reads'> {
  logger: Logger;
  io: GatewayServer;
  bus: Bus;
  authTimeoutMs: number;
  originAllowed: OriginPolicy;
  /** Keeps count of connections without a valid token. */
  strangers: Strangers;
  /** Messages a second for one connection. */
  messageRate: number;
  /** Keeps an eye on the sessions of connected sockets; returns the function that ends it. */
  watch(token: string, session: Session): () => void;
  onError?(code: string): void;
}

export interface Gateway extends Stoppable {
  /** True for requests and upgrades that belong to Socket.IO: path /socket.io/, or / with an EIO parameter. */
  handles(request: IncomingMessage): boolean;
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Open connections. */
  connections(): number;
}

/** The connections of one session, which is watched as long as there is one. */
interface SessionGroup {
  login: Login;
  readonly connections: Set<Connection>;
  unwatch(): void;
}

/** Stands for the handshake of a connection that is open: nobody reads it any more, and the token is in it. */
const READ_HANDSHAKE = Object.freeze({});

/** The EthPillar gateway: Socket.IO at two paths, both transports, one connection object a client [SIO-1]..[SIO-9]. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { bus, io, logger, sessions } = deps;
  const bySession = new Map<string, SessionGroup>();
  const admission = createAdmission({ ...deps, engine: io.engine });
  const engineOf = (socket: GatewaySocket) => socket.conn as unknown as EngineConnection;
  let draining = false;

  /** The first valid token of the handshake [SIO-1]; null where there is none at all. @throws AppError session_refused */
  async function handshakeLogin(socket: GatewaySocket): Promise<Login | null> {
    const [cookie] = sessionTokens({ cookie: socket.handshake.headers.cookie });
    const given: unknown = socket.handshake.auth.token;
    const tokens = [cookie, given].filter(
      (token): token is string => typeof token === 'string' && token !== '' && token.length <= MAX_TOKEN,
    );
    if (tokens.length > 0) admission.pending(engineOf(socket));
    for (const token of tokens) {
      const session = await sessions.get(token);
      if (session) return { token, session };
    }
    if (tokens.length > 0 || (given !== undefined && given !== null && given !== '')) {
      throw new AppError('session_refused');
    }
    return null;
  }

  io.use((socket, next) => {
    handshakeLogin(socket).then(
      (login) => {
        socket.data.login = login;
        next();
      },
      (error: unknown) => {
        admission.unknown(engineOf(socket));
        const failure = toAppError(error);
        const code = failure.code === 'session_refused' ? 'session_refused' : 'session_check_failed';
        deps.onError?.(code);
        // The payload arrives as `data` of the client's connect_error.
        next(Object.assign(new Error(ERRORS[code].message), { data: new AppError(code).toPayload() }));
      },
    );
  });

  function enlist(connection: Connection, login: Login): SessionGroup {
    const { id } = login.session;
    const group = bySession.get(id) ?? {
      login,
      connections: new Set(),
      unwatch: deps.watch(login.token, login.session),
    };
    bySession.set(id, group);
    group.connections.add(connection);
    // The store makes a new object at every look; connections of one session share it as long as it says the same.
    const { expiresAt } = login.session;
    if (!isDeepStrictEqual({ ...group.login.session, expiresAt }, login.session)) group.login = login;
    return group;
  }

  function leave(connection: Connection): void {
    const id = connection.login?.session.id ?? '';
    const group = bySession.get(id);
    if (!group?.connections.delete(connection) || group.connections.size > 0) return;
    bySession.delete(id);
    group.unwatch();
  }

  function adopt(connection: Connection, login: Login): void {
    const { socket } = connection;
    // It left while its token was looked up: nothing would end the watch over its session.
    if (!socket.connected) return;
    connection.login = enlist(connection, login).login;
    admission.known(engineOf(socket));
    const { target, expiresAt } = login.session;
    socket.emit('authenticated', {
      host: target.host,
      username: target.username,
      expiresAt: new Date(expiresAt).toISOString(),
    });
  }
  const reads = createSlots(READS);
  const logs: HandlerDeps['logs'] = {
    ...deps.logs,
    async history(session, unit, request, signal) {
      const free = await reads.take(session.id, signal);
      try {
        return await deps.logs.history(session, unit, request, signal);
      } finally {
        free();
      }
    },
  };
  const handlerDeps = { ...deps, logs, reads, adopt };

  const rules: ConnectionRules = {
    messageRate: deps.messageRate,
    onError: (code) => deps.onError?.(code),
    onRoomTokenAdded: ({ socket }) => admission.known(engineOf(socket)),
    onRoomTokenExpired: roomTokenExpired,
  };

  function onAny(this: GatewaySocket, event: string, ...args: unknown[]): void {
    const { connection } = this.data;
    if (!connection) return;
    const verdict = connection.countMessage();
    if (verdict === 'pass') {
      void dispatch(handlerDeps, connection, event, args);
      return;
    }
    const error = new AppError('rate_limited');
    if (verdict === 'warn') connection.fail(error);
    if (verdict === 'close') this.disconnect(true);
    // Whoever waits for an answer is told of each; the close comes after as many as may come at once.
    else refuseAck(event, args, error);
  }

  // Without a listener a broken packet would end the process (CVE-2024-38355). Clients can send an event of this name,
  // too: what they send with it is not looked at, since making text of it may throw.
  function onError(error: unknown): void {
    if (error instanceof Error) logger.debug('socket error', { error });
  }

  function onDisconnect(this: GatewaySocket): void {
    const { connection } = this.data;
    if (!connection) return;
    connection.release();
    connection.member.rights.clear();
    deps.hub.leaveAll(connection.member);
    leave(connection);
  }

  io.on('connection', (socket) => {
    const { address } = socket.request as unknown as KeptRequest;
    const connection = createConnection(socket, address, rules);
    const { login } = socket.data;
    socket.data.connection = connection;
    socket.data.login = null;
    Object.assign(socket, { handshake: READ_HANDSHAKE });
    // The same functions for all of them: each is called with its socket as `this`.
    socket.on('error', onError);
    socket.onAny(onAny);
    socket.on('disconnect', onDisconnect);
    admission.onEnd(engineOf(socket), (code) => {
      connection.fail(new AppError(code));
      socket.disconnect(true);
    });
    if (draining) drain(socket);
    else if (login) adopt(connection, login);
  });

  /** A room token of a connection has expired: out of the rooms it opened, and closed where nothing else keeps it. */
  function roomTokenExpired(connection: Connection): void {
    for (const room of deps.hub.roomsOf(connection.member)) {
      try {
        requireRoomRight(deps, connection, (grant) => grant.mayJoin(room));
      } catch {
        deps.hub.leave(room, connection.member);
      }
    }
    connection.fail(new AppError('invalid_token'));
    if (!connection.login && connection.member.rights.isEmpty) connection.socket.disconnect(true);
  }

  function drain(socket: GatewaySocket): void {
    socket.emit('server_draining', { reconnectInMs: Math.round(Math.random() * DRAIN_SPREAD_MS) });
  }

  function endHere(end: SessionEnd): void {
    const group = bySession.get(end.sessionId);
    if (!group) return;
    // Whoever logs in from here on is watched anew.
    bySession.delete(end.sessionId);
    group.unwatch();
    for (const connection of group.connections) {
      connection.release();
      const { socket } = connection;
      const { conn } = socket;
      socket.emit('session_ended', { reason: end.reason });
      socket.disconnect(true);
      // The engine itself would wait until all that lies ready has been taken.
      setTimeout(() => {
        conn.close(true);
        (conn.transport as { socket?: { terminate(): void } }).socket?.terminate();
      }, END_GRACE_MS).unref();
    }
  }
  const unlisten = bus.on('session_end', (end) => endHere(end as SessionEnd));

  /** Asked for every request of a connection, not only for its first [WS-5]. */
  function isFromHere({ headers }: IncomingMessage): boolean {
    const isAllowed = deps.originAllowed(headers);
    if (!isAllowed) deps.onError?.('origin_not_allowed');
    return isAllowed;
  }

  async function stop(): Promise<void> {
    draining = true;
    const sockets = [...io.of('/').sockets.values()];
    for (const socket of sockets) drain(socket);
    if (sockets.length > 0) await sleep(DRAIN_GRACE_MS);
    for (const socket of sockets) socket.disconnect(true);
    unlisten();
    await io.close();
  }
  let stopped: Promise<void> | null = null;

  return {
    handles({ url = '/' }) {
      const [path, query = ''] = url.split('?', 2);
      return path === '/socket.io/' || path === '/socket.io' || (path === '/' && /(^|&)EIO=\d/.test(query));
    },
    // The engine takes any path; it wants its own request type, which only adds what it sets itself.
    request(request, response) {
      // A preflight has no Origin of its own to be checked: the engine's CORS answers it.
      if (request.method === 'OPTIONS' || isFromHere(request))
        io.engine.handleRequest(request as never, response);
      else refuseRequest(response, 'origin_not_allowed');
    },
    upgrade(request, socket, head) {
      if (isFromHere(request)) io.engine.handleUpgrade(request as never, socket, head);
      else refuseUpgrade(socket, 'origin_not_allowed');
    },
    connections: () => io.engine.clientsCount,
    stop: () => (stopped ??= stop()),
  };
}
