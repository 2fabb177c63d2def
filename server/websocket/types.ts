import type { IncomingHttpHeaders } from 'node:http';
import type { CloseName } from '../../shared/close-codes.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import type { AppError } from '../core/errors.ts';
import type { FrameKind, Frames } from '../core/websocket-frame.ts';

/** An upgrade request, taken apart. */
export interface UpgradeRequest {
  /** Path, percent-decoded, without query and a slash at the end; `/` at least. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Sub-protocols that the client offers, in its order. */
  readonly protocols: readonly string[];
  readonly headers: IncomingHttpHeaders;
  /** The client's address, for limits and the log. */
  readonly address: string;
}

/** One open WebSocket, as a dialect sees it. Every method is harmless once it is closed. */
export interface Connection {
  /** Unique in the cluster; serves as the id of a hub member. */
  readonly id: string;
  readonly address: string;
  readonly isOpen: boolean;
  /** Sends one message, as text unless told. */
  send(text: string, kind?: FrameKind): void;
  /** Sends messages that were encoded before (`createFrameCache`). */
  sendFrames(frames: Frames): void;
  /**
   * What is sent from here on waits, in its order, until a promise ends that never fails and does not take long; where too
   * much waits, the connection is cut.
   */
  hold(until: Promise<void>): void;
  /** A number is a code of a room handler, 4000 to 4999. */
  close(code: CloseName | number, reason?: string): void;
  /** Closes with 4401, or with the code of `as`, at that time, epoch ms; null: never. */
  expireAt(at: number | null, as?: CloseName): void;
}

/** What a dialect has going on for one connection. */
export interface DialectSession {
  /**
   * One message: text as a string, binary as a Buffer. An AppError that it throws, or rejects with, goes to `fail`;
   * anything else too, as `internal`. Messages are not held back while a promise is pending.
   */
  message(data: string | Buffer): void | Promise<void>;
  /** Tells the client of an error in the dialect's own form; the connection stays. */
  fail(error: AppError): void;
  /** The connection has ended, with this code and reason: leave rooms, stop timers. Called once. */
  close?(code: number, reason: string): void;
}

/** Yes: the sub-protocol to answer with and what to do with the open connection. No: the error, before the upgrade. */
export type Admission =
  | {
      refuse: ErrorCode;
      /** HTTP status where it is not that of the error. */
      status?: number;
    }
  | {
      protocol?: string | undefined;
      /** Nobody has shown who they are: one client address may have only so many of these. */
      anonymous?: boolean;
      /** Silence in ms after which the connection is cut; CLIENT_TIMEOUT where that is shorter or this is not given. */
      timeoutMs?: number;
      /** May close the connection at once, with the close code that says why. */
      open(connection: Connection): DialectSession;
    };

/**
 * A plain WebSocket protocol on our port: it maps frames to commands of the hub and back. A new one is a file in
 * `dialects/`, its schema in `shared/`, its test, and a line in `server/app.ts`.
 */
export interface Dialect {
  /** For logs and metrics. */
  readonly name: string;
  /** Why it is switched off; its requests then get 404. */
  readonly off?: string | undefined;
  /** What the operator should know of it although it is on. */
  readonly notice?: string | undefined;
  /** Whether a request is its own; the first dialect of the list that says yes has it. */
  matches(request: UpgradeRequest): boolean;
  /** Decides about a connection before the upgrade. The Origin has been checked. @throws AppError, answered over HTTP */
  admit(request: UpgradeRequest): Promise<Admission> | Admission;
}
