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
export function createEngineWriter(engine: () => EngineConnection) {
  let backlog = 0;

  function write(packet: string, bytes: number, frames?: Buffer): void {
    backlog += bytes;
    // Called when the transport has handed the bytes to the kernel (WebSocket) or to a poll (HTTP).
    engine().write(packet, { compress: false, ...(frames ? { wsPreEncodedFrame: [frames] } : {}) }, () => {
      backlog -= bytes;
    });
  }

  return {
    send(chunk: EncodedChunk): void {
      const [only] = chunk.packets;
      // A WebSocket never falls back to polling, so all frames of a chunk may go as one write. The packet text beside
      // them is only what the engine would send on another transport.
      if (engine().transport.name === 'websocket') write(only ?? '', chunk.frames.length, chunk.frames);
      else for (const packet of chunk.packets) write(packet, Buffer.byteLength(packet));
    },
    backlog: () => backlog,
  };
}
