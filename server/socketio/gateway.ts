import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS } from '../../shared/errors.ts';
import { MAX_TOKEN } from '../../shared/events.ts';
import type { Bus } from '../cluster/bus.ts';
import { clientAddress, type ProxyTrust } from '../core/client-address.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { createMessageRate } from '../core/message-rate.ts';
import { sessionTokens } from '../core/session-token.ts';
import { sleep } from '../core/sleep.ts';
import { createSlots } from '../core/slots.ts';
import type { Strangers } from '../core/strangers.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import type { Session, SessionEnd } from '../sessions/types.ts';
import { createAdmission, type EngineConnection } from './admission.ts';
import { type Connection, createConnection, type GatewayServer, type GatewaySocket } from './connection.ts';
import { dispatch } from './dispatch.ts';
import type { HandlerDeps } from './handlers/types.ts';
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
  proxyTrust: ProxyTrust;
  authTimeoutMs: number;
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

/** The EthPillar gateway: Socket.IO at two paths, both transports, one connection object a client [SIO-1]..[SIO-9]. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { bus, io, logger, sessions } = deps;
  const bySession = new Map<string, Set<Connection>>();
  const admission = createAdmission({ ...deps, engine: io.engine });
  const engineOf = (socket: GatewaySocket) => socket.conn as unknown as EngineConnection;
  let draining = false;

  /** The first valid token of the handshake [SIO-1]; null where there is none at all. @throws AppError session_refused */
  async function handshakeLogin(socket: GatewaySocket): Promise<{ token: string; session: Session } | null> {
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
        if (login) socket.data.login = login;
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

  function adopt(connection: Connection, login: { token: string; session: Session }): void {
    const { socket } = connection;
    // It left while its token was looked up: nothing would end the watch over its session.
    if (!socket.connected) return;
    connection.login = login;
    admission.known(engineOf(socket));
    const { id, target, expiresAt } = login.session;
    const group = bySession.get(id) ?? new Set();
    bySession.set(id, group.add(connection));
    const unwatch = deps.watch(login.token, login.session);
    socket.once('disconnect', () => {
      unwatch();
      group.delete(connection);
      if (group.size === 0 && bySession.get(id) === group) bySession.delete(id);
    });
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

  io.on('connection', (socket) => {
    const address = clientAddress(socket.request, deps.proxyTrust);
    const connection = createConnection(socket, address, (code) => deps.onError?.(code));
    connection.member.rights.onAdded = () => admission.known(engineOf(socket));
    connection.member.rights.onExpired = () => roomTokenExpired(connection);
    const rate = createMessageRate(deps.messageRate);
    // Without a listener a broken packet would end the process (CVE-2024-38355). Clients can send an event of this name,
    // too: what they send with it is not looked at, since making text of it may throw.
    socket.on('error', (error: unknown) => {
      if (error instanceof Error) logger.debug('socket error', { error });
    });
    socket.onAny((event: string, ...args: unknown[]) => {
      const verdict = rate();
      if (verdict === 'pass') void dispatch(handlerDeps, connection, event, args);
      else if (verdict === 'warn') connection.fail(new AppError('rate_limited'));
      else if (verdict === 'close') socket.disconnect(true);
    });
    admission.onEnd(engineOf(socket), (code) => {
      connection.fail(new AppError(code));
      socket.disconnect(true);
    });
    socket.on('disconnect', () => {
      connection.release();
      connection.member.rights.clear();
      deps.hub.leaveAll(connection.member);
    });
    if (draining) drain(socket);
    else if (socket.data.login) adopt(connection, socket.data.login);
    delete socket.data.login;
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
    for (const connection of [...(bySession.get(end.sessionId) ?? [])]) {
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
    request: (request, response) => io.engine.handleRequest(request as never, response),
    upgrade: (request, socket, head) => io.engine.handleUpgrade(request as never, socket, head),
    connections: () => io.engine.clientsCount,
    stop: () => (stopped ??= stop()),
  };
}
