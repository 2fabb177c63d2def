import type { LogChunk } from '../logs/tail.ts';

/**
 * What goes over a Socket.IO connection for one chunk: the engine's message texts, and for WebSocket transports the ready
 * frames of all of them in one buffer. Made once per chunk, service name and form, however many viewers there are.
 */
export interface EncodedChunk {
  /** Socket.IO packets (protocol v5: `2` is EVENT) without the engine's message type. */
  packets: readonly string[];
  /** The same as WebSocket frames, ready for the socket. */
  frames: Buffer;
}

const ENGINE_MESSAGE = '4';
const EVENT = '2';
/** FIN and the text opcode, RFC 6455 section 5.2. */
const FINAL_TEXT = 0x81;

/** The header of an unmasked text frame of `length` bytes (RFC 6455 section 5.2). */
function frameHeader(length: number): Buffer {
  if (length < 126) return Buffer.from([FINAL_TEXT, length]);
  if (length < 65_536) {
    const header = Buffer.from([FINAL_TEXT, 126, 0, 0]);
    header.writeUInt16BE(length, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = FINAL_TEXT;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

export function encodePackets(packets: readonly string[]): EncodedChunk {
  const parts: Buffer[] = [];
  for (const packet of packets) {
    const payload = Buffer.from(ENGINE_MESSAGE + packet);
    parts.push(frameHeader(payload.length), payload);
  }
  return { packets, frames: Buffer.concat(parts) };
}

/** One `log_batch` packet for a whole chunk: its body goes in as it is. */
function batchPackets(chunk: LogChunk, service: string): string[] {
  return [`${EVENT}["log_batch",{"service":${JSON.stringify(service)},${chunk.body.slice(1)}]`];
}

/** One `log_data` packet a line, for original clients. */
function linePackets(chunk: LogChunk, service: string): string[] {
  const head = `${EVENT}["log_data",{"service":${JSON.stringify(service)},`;
  return chunk.entries().map((entry) => `${head}${JSON.stringify(entry).slice(1)}]`);
}

const encoded = new WeakMap<LogChunk, Map<string, EncodedChunk>>();

/** The encoded form of a chunk, from the cache where another viewer has asked before. */
export function encodeChunk(chunk: LogChunk, service: string, batch: boolean): EncodedChunk {
  const forms = encoded.get(chunk) ?? new Map<string, EncodedChunk>();
  encoded.set(chunk, forms);
  const name = `${batch ? 'batch' : 'lines'} ${service}`;
  let form = forms.get(name);
  if (!form) {
    form = encodePackets(batch ? batchPackets(chunk, service) : linePackets(chunk, service));
    forms.set(name, form);
  }
  return form;
}
