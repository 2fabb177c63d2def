import type { LogSink } from '../logs/viewer.ts';
import type { Connection } from './connection.ts';
import { encodeChunk } from './frames.ts';

export interface SinkOptions {
  /** The service name as the client wrote it. */
  service: string;
  batch: boolean;
}

/** The sink of one log subscription on a Socket.IO connection. */
export function createLogSink(connection: Connection, options: SinkOptions): LogSink {
  const { service, batch } = options;
  const { socket } = connection;
  return {
    deliver(chunk) {
      if (socket.connected) connection.writer.send(encodeChunk(chunk, service, batch));
    },
    gap: (gap) => socket.emit('log_gap', { service, ...gap }),
    failed: (error) => connection.fail(error, service),
    backlog: () => connection.writer.backlog(),
  };
}
