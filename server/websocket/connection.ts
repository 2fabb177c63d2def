import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseName } from '../../shared/close-codes.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { createMessageRate } from '../core/message-rate.ts';
import type { Logger } from '../core/types.ts';
import { type FrameKind, type Frames, textFrame } from '../core/websocket-frame.ts';
import type { Connection, DialectSession } from './types.ts';

/**
 * Bytes that may wait in this process for one connection (as LOG-4 allows a viewer). Above it the client is too slow: it
 * is cut, and what it missed it gets by subscribing again.
 */
const BACKLOG_MAX = 4 * 1024 * 1024;
/** A message of this many bytes is compressed where the client asked for it; below it that costs more than it saves. */
export const DEFLATE_MIN = 1024;
/** Time for the close frame to leave before a silent client is broken off, in ms. */
const IDLE_GRACE_MS = 50;
/** Reason texts of close frames: 125 bytes less the code (RFC 6455 section 5.5.1). */
const REASON_MAX = 123;

export interface OpenSocket extends Connection {
  readonly dialect: string;
  /** Called by the sweep at `now` (ms of the monotonic clock and of the day): pings, cuts the silent, ends the expired. */
  sweep(now: number, epochMs: number): void;
  /** Breaks the connection off. */
  terminate(): void;
}

/** What all connections have in common: one object for all of them, since there may be thousands. */
export interface SocketRules {
  logger: Logger;
  maxPayloadBytes: number;
  /** Messages a second. */
  messageRate: number;
  /** Ms between pings. */
  pingMs: number;
  onError(code: string): void;
  onMessage(dialect: string): void;
  onClosed(socket: OpenSocket, code: number): void;
}

export interface SocketOptions {
  id: string;
  address: string;
  dialect: string;
  /** The upgraded connection, for frames that are ready. */
  raw: Duplex;
  /** Ms of silence after which the connection is cut. */
  timeoutMs: number;
}

/** A reason that fits into a close frame, cut between characters: half of one would be invalid UTF-8. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_MAX) return reason;
  let end = REASON_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** A class, so that thousands of connections share their methods. */
class Socket implements OpenSocket {
  readonly id: string;
  readonly address: string;
  readonly dialect: string;
  /** When the client last gave a sign of life. */
  seen = performance.now();
  private pinged = this.seen;
  private expiry: { at: number; as: CloseName } | null = null;
  private readonly ws: WebSocket;
  private readonly raw: Duplex;
  private readonly timeoutMs: number;
  private readonly rules: SocketRules;
  private readonly deflates: boolean;

  constructor(ws: WebSocket, rules: SocketRules, options: SocketOptions) {
    this.id = options.id;
    this.address = options.address;
    this.dialect = options.dialect;
    this.ws = ws;
    this.raw = options.raw;
    this.timeoutMs = options.timeoutMs;
    this.rules = rules;
    // With the extension off, which is the rule, frames go straight to the socket.
    this.deflates = ws.extensions !== '';
  }

  get isOpen(): boolean {
    return this.ws.readyState === this.ws.OPEN;
  }

  /** Whether that many bytes more may wait; a client that is too slow is cut. */
  hasRoom(bytes: number): boolean {
    if (!this.isOpen) return false;
    const waiting = this.deflates ? this.ws.bufferedAmount : this.raw.writableLength;
    if (waiting === 0 || waiting + bytes <= Math.max(BACKLOG_MAX, 2 * this.rules.maxPayloadBytes))
      return true;
    // Its close frame waits behind all that the client has not read, at most for the server's close time-out.
    this.close('slow');
    return false;
  }

  send(text: string, kind: FrameKind = 'text'): void {
    if (!this.deflates) {
      const frame = textFrame(text, kind);
      if (this.hasRoom(frame.length)) this.raw.write(frame);
    } else if (this.hasRoom(text.length)) {
      this.ws.send(text, { binary: kind === 'binary', compress: text.length >= DEFLATE_MIN });
    }
  }

  sendFrames(frames: Frames): void {
    if (this.deflates) for (const text of frames.texts) this.send(text, frames.kind);
    else if (this.hasRoom(frames.bytes.length)) this.raw.write(frames.bytes);
  }

  close(name: CloseName | number, reason?: string): void {
    if (!this.isOpen) return;
    const row = typeof name === 'number' ? { code: name, reason: '' } : CLOSE_CODES[name];
    this.ws.close(row.code, cut(reason ?? row.reason));
  }

  expireAt(at: number | null, as: CloseName = 'token_expired'): void {
    this.expiry = at === null ? null : { at, as };
  }

  sweep(now: number, epochMs: number): void {
    if (!this.isOpen) return;
    if (this.expiry && epochMs >= this.expiry.at) this.close(this.expiry.as);
    else if (now - this.seen >= this.timeoutMs) {
      this.close('idle');
      // Whoever answers no ping will not answer this either; the close frame is for those who only read.
      setTimeout(() => this.terminate(), IDLE_GRACE_MS).unref();
    } else if (now - this.pinged >= this.rules.pingMs) {
      this.pinged = now;
      this.ws.ping();
    }
  }

  terminate(): void {
    this.ws.terminate();
  }
}

const NO_SESSION: DialectSession = { message() {}, fail() {} };

/** Wraps an open WebSocket: liveness, limits and the bounded send buffer that all dialects have in common [WS-5]. */
export function createSocket(
  ws: WebSocket,
  rules: SocketRules,
  options: SocketOptions,
  open: (connection: Connection) => DialectSession,
): OpenSocket {
  const { logger } = rules;
  const socket = new Socket(ws, rules, options);
  const { dialect } = socket;
  const rate = createMessageRate(rules.messageRate);
  let session = NO_SESSION;

  function fail(error: unknown): void {
    const failure = toAppError(error);
    if (failure.code === 'internal')
      logger.error('message failed', { dialect, cause: String(failure.cause) });
    rules.onError(failure.code);
    if (socket.isOpen) session.fail(failure);
  }

  /** Counts one message or ping of the client. @returns whether it is to be looked at */
  function isWithinRate(): boolean {
    socket.seen = performance.now();
    const verdict = rate();
    if (verdict === 'warn') fail(new AppError('rate_limited'));
    else if (verdict === 'close') socket.close('rate_limited');
    return verdict === 'pass';
  }

  // Errors of the protocol are answered by ws with the code of RFC 6455 section 7.4 and end in 'close'.
  ws.on('error', (error) => logger.debug('websocket error', { error: String(error) }));
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    if (!socket.isOpen || !isWithinRate()) return;
    rules.onMessage(dialect);
    try {
      const work = session.message(isBinary ? data : data.toString());
      if (work) work.catch(fail);
    } catch (error) {
      fail(error);
    }
  });
  ws.on('ping', (data) => {
    if (isWithinRate() && socket.hasRoom(data.length)) ws.pong(data);
  });
  ws.on('pong', () => {
    socket.seen = performance.now();
  });
  ws.on('close', (code, reason) => {
    rules.onClosed(socket, code);
    try {
      session.close?.(code, reason.toString());
    } catch (error) {
      logger.error('closing failed', { dialect, error });
    }
  });

  try {
    session = open(socket);
  } catch (error) {
    logger.error('opening failed', { dialect, error });
    socket.close('internal');
  }
  return socket;
}
