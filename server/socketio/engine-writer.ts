import type { EncodedChunk } from './frames.ts';

/** The part of an Engine.IO connection that a sink writes to. */
export interface EngineConnection {
  readonly transport: { readonly name: string };
  write(
    data: string,
    options: { compress: boolean; wsPreEncodedFrame?: Buffer[] },
    sent: () => void,
  ): unknown;
}

/** Writes encoded packets to one engine connection and counts what has not left the process yet. */
export interface EngineWriter {
  send(chunk: EncodedChunk): void;
  /** Bytes that have not left the process yet. */
  backlog(): number;
}

/** A class, so that thousands of connections share its code. */
class Writer implements EngineWriter {
  private waiting = 0;
  private readonly socket: { readonly conn: unknown };

  constructor(socket: { readonly conn: unknown }) {
    this.socket = socket;
  }

  send(chunk: EncodedChunk): void {
    const engine = this.socket.conn as EngineConnection;
    const [only] = chunk.packets;
    // A WebSocket never falls back to polling, so all frames of a chunk may go as one write. The packet text beside
    // them is only what the engine would send on another transport.
    if (engine.transport.name === 'websocket')
      this.write(engine, only ?? '', chunk.frames.length, chunk.frames);
    else for (const packet of chunk.packets) this.write(engine, packet, Buffer.byteLength(packet));
  }

  backlog(): number {
    return this.waiting;
  }

  private write(engine: EngineConnection, packet: string, bytes: number, frames?: Buffer): void {
    this.waiting += bytes;
    // Called when the transport has handed the bytes to the kernel (WebSocket) or to a poll (HTTP).
    engine.write(packet, { compress: false, ...(frames ? { wsPreEncodedFrame: [frames] } : {}) }, () => {
      this.waiting -= bytes;
    });
  }
}

/** @param socket whose `conn` is the engine connection to write to */
export function createEngineWriter(socket: { readonly conn: unknown }): EngineWriter {
  return new Writer(socket);
}
