import type { AppError } from '../core/errors.ts';
import type { GapReason } from '../logs/journal/resume.ts';
import type { LogChunk } from '../logs/tail.ts';
import type { LogSink, Viewer } from '../logs/viewer.ts';
import type { Connection, LogSubscription } from './connection.ts';
import { encodeChunk } from './frames.ts';

export interface SubscriptionOptions {
  unit: string;
  /** The service name as the client wrote it. */
  service: string;
  batch: boolean;
}

const NOT_OPENED = Promise.resolve(null);

/** A class, so that thousands of subscriptions share its code. */
class SocketSubscription implements LogSubscription, LogSink {
  viewer: Viewer | null = null;
  opened: Promise<Viewer | null> = NOT_OPENED;
  cancelled = false;
  private readonly connection: Connection;
  private readonly unit: string;
  private readonly service: string;
  private readonly batch: boolean;

  constructor(connection: Connection, { unit, service, batch }: SubscriptionOptions) {
    this.connection = connection;
    this.unit = unit;
    this.service = service;
    this.batch = batch;
  }

  deliver(chunk: LogChunk): void {
    const { connection } = this;
    if (connection.socket.connected) connection.writer.send(encodeChunk(chunk, this.service, this.batch));
  }

  gap(gap: { from: string | null; to: string | null; reason: GapReason }): void {
    this.connection.socket.emit('log_gap', { service: this.service, ...gap });
  }

  failed(error: AppError): void {
    this.connection.fail(error, this.service);
  }

  backlog(): number {
    return this.connection.writer.backlog();
  }

  ended(): void {
    const { logs } = this.connection;
    if (logs.get(this.unit) === this) logs.delete(this.unit);
  }
}

/** A log subscription of a Socket.IO connection, and the sink of its viewer. */
export function createSubscription(
  connection: Connection,
  options: SubscriptionOptions,
): LogSubscription & LogSink {
  return new SocketSubscription(connection, options);
}
