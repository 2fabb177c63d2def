import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { ErrorCode } from '../../shared/errors.ts';
import { addressGroup, type ProxyTrust } from '../core/client-address.ts';
import { toAppError } from '../core/errors.ts';
import { flatUuid } from '../core/flat-uuid.ts';
import type { OriginPolicy } from '../core/origin-policy.ts';
import { refuseHandshake, refuseUpgrade } from '../core/refusal.ts';
import { sleep } from '../core/sleep.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import {
  createSocket,
  DEFLATE_MIN,
  type OpenSocket,
  OwnedWebSocket,
  type SocketRules,
} from './connection.ts';
import type { Admission, Dialect } from './types.ts';
import { readUpgradeRequest } from './upgrade-request.ts';

/** Fragments of one message: what real clients send, far below the 10^5 of an attack (CVE-2026-48779). */
const FRAGMENTS_MAX = 1024;
/** Pieces in which one frame may arrive: a MAX_PAYLOAD_BYTES message over a slow link has some hundred. */
const CHUNKS_MAX = 4096;
/** Wait for the other side's close frame, in ms; then the connection is broken off. */
const CLOSE_TIMEOUT_MS = 5000;
/** Wait for the clients' close frames when the server stops, in ms. */
const STOP_MS = 2000;
/** Most and least time between two looks at all connections, in ms: how exact time-outs and token ends are. */
const SWEEP_MAX_MS = 500;
const SWEEP_MIN_MS = 25;

/**
 * Open connections of one client address (IPv6: its /64) without a token: all that an instance is built for, and a quarter of
 * what it takes, so that nobody has them all.
 */
const ANONYMOUS_MAX = 5000;

export interface WebSocketsDeps {
  /** In the order in which they are asked. */
  dialects: readonly Dialect[];
  originAllowed: OriginPolicy;
  proxyTrust: ProxyTrust;
  logger: Logger;
  maxPayloadBytes: number;
  /** Messages a second for one connection. */
  messageRate: number;
  heartbeatIntervalMs: number;
  clientTimeoutMs: number;
  /** ANONYMOUS_MAX */
  anonymousMax?: number;
  onError?(code: string): void;
  /** A connection has ended. */
  onClose?(dialect: string, code: number): void;
  onMessage?(dialect: string): void;
}

export interface WebSockets extends Stoppable {
  /** Takes every upgrade request that does not belong to Socket.IO. The caller listens to the socket's errors. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Open connections, of one dialect or of all. */
  connections(dialect?: string): number;
}

/** An upgrade request and what it came on. */
interface Knock {
  request: IncomingMessage;
  raw: Duplex;
  head: Buffer;
  /** Names it in the answer and in the log, as that of any other request [HTTP-2]. */
  requestId: string;
}

/** The plain WebSocket side: routes upgrades to dialects and gives their connections what all have in common [WS-5]. */
export function createWebSockets(deps: WebSocketsDeps): WebSockets {
  const { dialects, logger, heartbeatIntervalMs, clientTimeoutMs, anonymousMax = ANONYMOUS_MAX } = deps;
  const open = new Set<OpenSocket>();
  /** Those without a token, by client address. */
  const anonymous = new Map<string, Set<OpenSocket>>();
  const protocols = new WeakMap<IncomingMessage, string>();
  let stopped: Promise<void> | undefined;

  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    WebSocket: OwnedWebSocket,
    maxPayload: deps.maxPayloadBytes,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    handleProtocols: (_offered, request) => protocols.get(request) ?? false,
    // Only for clients that offer it. No context is kept between messages, and windows are small: some 10 kB for a
    // connection instead of 300.
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 12,
      threshold: DEFLATE_MIN,
      concurrencyLimit: 4,
      zlibDeflateOptions: { memLevel: 5, level: 3 },
    },
    // Pings are answered by the connection, within its limits.
    autoPong: false,
    ...{ closeTimeout: CLOSE_TIMEOUT_MS },
  });
  wss.on('wsClientError', refuseHandshake);

  const refuse = ({ raw, requestId }: Knock, code: ErrorCode, status?: number) =>
    refuseUpgrade(raw, code, { requestId, status });

  const rules: SocketRules = {
    logger,
    maxPayloadBytes: deps.maxPayloadBytes,
    messageRate: deps.messageRate,
    pingMs: Math.min(heartbeatIntervalMs, clientTimeoutMs / 2),
    onError: (code) => deps.onError?.(code),
    onMessage: (dialect) => deps.onMessage?.(dialect),
    onClosed(socket, code) {
      open.delete(socket);
      if (anonymous.size > 0) forget(addressGroup(socket.address), socket);
      deps.onClose?.(socket.dialect, code);
    },
  };

  const isFull = (address: string) => (anonymous.get(addressGroup(address))?.size ?? 0) >= anonymousMax;

  function forget(group: string, socket: OpenSocket): void {
    const sockets = anonymous.get(group);
    if (sockets?.delete(socket) && sockets.size === 0) anonymous.delete(group);
  }

  function accept(
    dialect: Dialect,
    address: string,
    admission: Exclude<Admission, { refuse: ErrorCode }>,
    { request, raw, head }: Knock,
  ): void {
    if (admission.protocol !== undefined) protocols.set(request, admission.protocol);
    wss.handleUpgrade(request, raw, head, (ws) => {
      const timeoutMs = Math.min(admission.timeoutMs ?? clientTimeoutMs, clientTimeoutMs);
      const options = { id: flatUuid(), address, dialect: dialect.name, raw, timeoutMs };
      const socket = createSocket(ws, rules, options, admission.open);
      open.add(socket);
      if (admission.anonymous) {
        const group = addressGroup(address);
        anonymous.set(group, (anonymous.get(group) ?? new Set()).add(socket));
      }
      if (stopped) socket.close('going_away');
    });
  }

  async function route(knock: Knock): Promise<void> {
    const { request, requestId } = knock;
    if (stopped) return refuse(knock, 'draining');
    const target = readUpgradeRequest(request, deps.proxyTrust);
    const dialect = target && dialects.find((one) => one.matches(target));
    if (!target || !dialect || dialect.off !== undefined) return refuse(knock, 'not_found');
    if (!deps.originAllowed(request.headers)) return refuse(knock, 'origin_not_allowed');
    const asked = await dialect.admit(target);
    const isTooMany = 'open' in asked && asked.anonymous && isFull(target.address);
    const admission: Admission = isTooMany ? { refuse: 'too_many_connections' } : asked;
    if ('refuse' in admission) {
      logger.info('connection refused', {
        dialect: dialect.name,
        code: admission.refuse,
        from: target.address,
        requestId,
      });
      deps.onError?.(admission.refuse);
      return refuse(knock, admission.refuse, admission.status);
    }
    accept(dialect, target.address, admission, knock);
  }

  const period = Math.min(heartbeatIntervalMs, clientTimeoutMs) / 4;
  const sweep = setInterval(
    () => {
      const now = performance.now();
      const epochMs = Date.now();
      for (const socket of open) socket.sweep(now, epochMs);
    },
    Math.max(SWEEP_MIN_MS, Math.min(SWEEP_MAX_MS, period)),
  ).unref();

  async function stop(): Promise<void> {
    for (const socket of open) socket.close('going_away');
    const end = performance.now() + STOP_MS;
    while (open.size > 0 && performance.now() < end) await sleep(20);
    clearInterval(sweep);
    for (const socket of open) socket.terminate();
  }

  return {
    upgrade(request, raw, head) {
      const knock = { request, raw, head, requestId: randomUUID() };
      route(knock).catch((error: unknown) => {
        const failure = toAppError(error);
        if (failure.code === 'internal')
          logger.error('upgrade failed', { requestId: knock.requestId, cause: String(failure.cause) });
        deps.onError?.(failure.code);
        refuse(knock, failure.code);
      });
    },
    connections(dialect) {
      if (dialect === undefined) return open.size;
      let count = 0;
      for (const socket of open) if (socket.dialect === dialect) count += 1;
      return count;
    },
    stop: () => (stopped ??= stop()),
  };
}
