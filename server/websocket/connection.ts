import type { Duplex } from 'node:stream';
import { type RawData, WebSocket } from 'ws';
import { CLOSE_CODES, type CloseName } from '../../shared/close-codes.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { createMessageRate, type MessageRate } from '../core/message-rate.ts';
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

/** What waits to be sent behind promises. */
interface Held {
  readonly items: (Promise<void> | (() => void))[];
  bytes: number;
}

/** A reason that fits into a close frame, cut between characters: half of one would be invalid UTF-8. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_MAX) return reason;
  let end = REASON_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

const NO_SESSION: DialectSession = { message() {}, fail() {} };

/** A class, and no listeners of its own, so that thousands of connections share their code. */
class Socket implements OpenSocket {
  readonly id: string;
  readonly address: string;
  readonly dialect: string;
  /** When the client last gave a sign of life. */
  private seen = performance.now();
  private pinged = this.seen;
  private expiry: { at: number; as: CloseName } | null = null;
  private session = NO_SESSION;
  private held: Held | null = null;
  /** Made with the first message: most connections only listen. */
  private rate: MessageRate | null = null;
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

  /** Begins what the dialect does with the connection. */
  start(open: (connection: Connection) => DialectSession): void {
    try {
      this.session = open(this);
    } catch (error) {
      this.rules.logger.error('opening failed', { dialect: this.dialect, error });
      this.close('internal');
    }
  }

  /** Whether that many bytes more may wait; a client that is too slow is cut. */
  private hasRoom(bytes: number): boolean {
    if (!this.isOpen) return false;
    const waiting = this.deflates ? this.ws.bufferedAmount : this.raw.writableLength;
    if (waiting === 0 || waiting + bytes <= Math.max(BACKLOG_MAX, 2 * this.rules.maxPayloadBytes))
      return true;
    // Its close frame waits behind all that the client has not read, at most for the server's close time-out.
    this.close('slow');
    return false;
  }

  hold(until: Promise<void>): void {
    if (this.held) {
      this.held.items.push(until);
      return;
    }
    this.held = { items: [until], bytes: 0 };
    void this.release(this.held);
  }

  /** Sends what waits, and what comes meanwhile behind it. */
  private async release({ items }: Held): Promise<void> {
    for (let next = items.shift(); next; next = items.shift()) {
      if (typeof next === 'function') next();
      else await next;
    }
    this.held = null;
  }

  private wait(held: Held, bytes: number, write: () => void): void {
    held.bytes += bytes;
    if (held.bytes <= BACKLOG_MAX) held.items.push(write);
    else this.close('slow');
  }

  send(text: string, kind: FrameKind = 'text'): void {
    if (this.held) this.wait(this.held, text.length, () => this.write(text, kind));
    else this.write(text, kind);
  }

  sendFrames(frames: Frames): void {
    if (this.held) this.wait(this.held, frames.bytes.length, () => this.writeFrames(frames));
    else this.writeFrames(frames);
  }

  private write(text: string, kind: FrameKind): void {
    if (!this.deflates) {
      const frame = textFrame(text, kind);
      if (this.hasRoom(frame.length)) this.raw.write(frame);
    } else if (this.hasRoom(text.length)) {
      this.ws.send(text, { binary: kind === 'binary', compress: text.length >= DEFLATE_MIN });
    }
  }

  private writeFrames(frames: Frames): void {
    if (this.deflates) for (const text of frames.texts) this.write(text, frames.kind);
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

  private fail(error: unknown): void {
    const { logger, onError } = this.rules;
    const failure = toAppError(error);
    if (failure.code === 'internal')
      logger.error('message failed', { dialect: this.dialect, cause: String(failure.cause) });
    onError(failure.code);
    if (this.isOpen) this.session.fail(failure);
  }

  /** Counts one message or ping of the client. @returns whether it is to be looked at */
  private isWithinRate(): boolean {
    this.seen = performance.now();
    this.rate ??= createMessageRate(this.rules.messageRate, this.seen);
    const verdict = this.rate.count(this.seen);
    if (verdict === 'warn') this.fail(new AppError('rate_limited'));
    else if (verdict === 'close') this.close('rate_limited');
    return verdict === 'pass';
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.isOpen || !this.isWithinRate()) return;
    this.rules.onMessage(this.dialect);
    try {
      const work = this.session.message(isBinary ? data : data.toString());
      if (work) work.catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  onPing(data: Buffer): void {
    if (this.isWithinRate() && this.hasRoom(data.length)) this.ws.pong(data);
  }

  onPong(): void {
    this.seen = performance.now();
  }

  onClose(code: number, reason: Buffer): void {
    this.rules.onClosed(this, code);
    try {
      this.session.close?.(code, reason.toString());
    } catch (error) {
      this.rules.logger.error('closing failed', { dialect: this.dialect, error });
    }
  }

  /** Errors of the protocol are answered by ws with the code of RFC 6455 section 7.4 and end in 'close'. */
  onError(error: Error): void {
    this.rules.logger.debug('websocket error', { error: String(error) });
  }
}

/** A WebSocket that knows its connection, so that all of them have the same listeners. */
export class OwnedWebSocket extends WebSocket {
  owner: Socket | null = null;
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  (this as OwnedWebSocket).owner?.onMessage(data as Buffer, isBinary);
}
function onPing(this: WebSocket, data: Buffer): void {
  (this as OwnedWebSocket).owner?.onPing(data);
}
function onPong(this: WebSocket): void {
  (this as OwnedWebSocket).owner?.onPong();
}
function onClose(this: WebSocket, code: number, reason: Buffer): void {
  (this as OwnedWebSocket).owner?.onClose(code, reason);
}
function onError(this: WebSocket, error: Error): void {
  (this as OwnedWebSocket).owner?.onError(error);
}

/** Wraps an open WebSocket: liveness, limits and the bounded send buffer that all dialects have in common [WS-5]. */
export function createSocket(
  ws: OwnedWebSocket,
  rules: SocketRules,
  options: SocketOptions,
  open: (connection: Connection) => DialectSession,
): OpenSocket {
  const socket = new Socket(ws, rules, options);
  ws.owner = socket;
  ws.on('error', onError).on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose);
  socket.start(open);
  return socket;
}
