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
/** Reason texts of close frames: 125 bytes less the code (RFC 6455 section 5.5.1). */
const REASON_MAX = 123;

export interface OpenSocket extends Connection {
  readonly dialect: string;
  /** Called by the sweep at `now` (ms of the monotonic clock and of the day): pings, cuts the silent, ends the expired. */
  sweep(now: number, epochMs: number): void;
  /** Breaks the connection off. */
  terminate(): void;
}

export interface SocketOptions {
  id: string;
  address: string;
  dialect: string;
  /** The upgraded connection, for frames that are ready. */
  raw: Duplex;
  logger: Logger;
  maxPayloadBytes: number;
  messageRate: number;
  /** Ms between pings. */
  pingMs: number;
  /** Ms of silence after which the connection is cut. */
  timeoutMs: number;
  open(connection: Connection): DialectSession;
  onError(code: string): void;
  onMessage(): void;
  onClosed(socket: OpenSocket, code: number): void;
}

/** A reason that fits into a close frame, cut between characters: half of one would be invalid UTF-8. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_MAX) return reason;
  let end = REASON_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** Wraps an open WebSocket: liveness, limits and the bounded send buffer that all dialects have in common [WS-5]. */
export function createSocket(ws: WebSocket, options: SocketOptions): OpenSocket {
  const { raw, logger, pingMs, timeoutMs } = options;
  const backlogMax = Math.max(BACKLOG_MAX, 2 * options.maxPayloadBytes);
  // With the extension off, which is the rule, frames go straight to the socket.
  const deflates = ws.extensions !== '';
  const rate = createMessageRate(options.messageRate);
  let seen = performance.now();
  let pinged = seen;
  let expiry: { at: number; as: CloseName } | null = null;

  const isOpen = () => ws.readyState === ws.OPEN;

  /** Whether that many bytes more may wait; a client that is too slow is cut. */
  function hasRoom(bytes: number): boolean {
    if (!isOpen()) return false;
    const waiting = deflates ? ws.bufferedAmount : raw.writableLength;
    if (waiting === 0 || waiting + bytes <= backlogMax) return true;
    // Its close frame waits behind all that the client has not read, at most for the server's close time-out.
    close('slow');
    return false;
  }

  function sendText(text: string, kind: FrameKind = 'text'): void {
    if (!deflates) {
      const frame = textFrame(text, kind);
      if (hasRoom(frame.length)) raw.write(frame);
    } else if (hasRoom(text.length)) {
      ws.send(text, { binary: kind === 'binary', compress: text.length >= DEFLATE_MIN });
    }
  }

  function close(name: CloseName | number, reason?: string): void {
    if (!isOpen()) return;
    const row = typeof name === 'number' ? { code: name, reason: '' } : CLOSE_CODES[name];
    ws.close(row.code, cut(reason ?? row.reason));
  }

  const socket: OpenSocket = {
    id: options.id,
    address: options.address,
    dialect: options.dialect,
    get isOpen() {
      return isOpen();
    },
    send: sendText,
    sendFrames(frames: Frames) {
      if (deflates) for (const text of frames.texts) sendText(text, frames.kind);
      else if (hasRoom(frames.bytes.length)) raw.write(frames.bytes);
    },
    close,
    expireAt(at, as = 'token_expired') {
      expiry = at === null ? null : { at, as };
    },
    sweep(now, epochMs) {
      if (!isOpen()) return;
      if (expiry && epochMs >= expiry.at) close(expiry.as);
      else if (now - seen >= timeoutMs) {
        close('idle');
        // Whoever answers no ping will not answer this either; the close frame is for those who only read.
        setTimeout(() => ws.terminate(), 50).unref();
      } else if (now - pinged >= pingMs) {
        pinged = now;
        ws.ping();
      }
    },
    terminate: () => ws.terminate(),
  };

  // Errors of the protocol are answered by ws with the code of RFC 6455 section 7.4 and end in 'close'.
  ws.on('error', (error) => logger.debug('websocket error', { error: String(error) }));
  let session: DialectSession = { message() {}, fail() {} };
  try {
    session = options.open(socket);
  } catch (error) {
    logger.error('opening failed', { dialect: options.dialect, error });
    close('internal');
  }

  function fail(error: unknown): void {
    const failure = toAppError(error);
    if (failure.code === 'internal') {
      logger.error('message failed', { dialect: options.dialect, cause: String(failure.cause) });
    }
    options.onError(failure.code);
    if (isOpen()) session.fail(failure);
  }

  /** Counts one message or ping of the client. @returns whether it is to be looked at */
  function isWithinRate(): boolean {
    seen = performance.now();
    const verdict = rate();
    if (verdict === 'warn') fail(new AppError('rate_limited'));
    else if (verdict === 'close') close('rate_limited');
    return verdict === 'pass';
  }

  ws.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isOpen() || !isWithinRate()) return;
    options.onMessage();
    try {
      const work = session.message(isBinary ? data : data.toString());
      if (work) work.catch(fail);
    } catch (error) {
      fail(error);
    }
  });
  ws.on('ping', (data) => {
    if (isWithinRate() && hasRoom(data.length)) ws.pong(data);
  });
  ws.on('pong', () => {
    seen = performance.now();
  });
  ws.on('close', (code, reason) => {
    options.onClosed(socket, code);
    try {
      session.close?.(code, reason.toString());
    } catch (error) {
      logger.error('closing failed', { dialect: options.dialect, error });
    }
  });
  return socket;
}
