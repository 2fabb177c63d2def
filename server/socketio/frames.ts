import { createFrameCache, type Frames, textFrame } from '../core/websocket-frame.ts';
import type { LogChunk } from '../logs/tail.ts';
import type { HubMessage } from '../rooms/types.ts';

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
export function encodePackets(packets: readonly string[]): EncodedChunk {
  return { packets, frames: Buffer.concat(packets.map((packet) => textFrame(ENGINE_MESSAGE + packet))) };
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

/** The packet of one message; its payload goes in as the text it came as. */
const roomFrames = createFrameCache((message: HubMessage) => {
  const { room, from, id } = message;
  const timestamp = new Date(message.timestamp).toISOString();
  const rest = JSON.stringify({ timestamp, id }).slice(1);
  const head = JSON.stringify({ room, from }).slice(0, -1);
  return `${ENGINE_MESSAGE}${EVENT}["room_message",${head},"data":${message.json},${rest}]`;
});
const roomChunks = new WeakMap<Frames, EncodedChunk>();

/** Messages of a room as `room_message` packets, made once for all members that get the same array. */
export function encodeRoomMessages(messages: readonly HubMessage[]): EncodedChunk {
  const frames = roomFrames(messages);
  let chunk = roomChunks.get(frames);
  if (!chunk) {
    chunk = {
      packets: frames.texts.map((text) => text.slice(ENGINE_MESSAGE.length)),
      frames: frames.bytes,
    };
    roomChunks.set(frames, chunk);
  }
  return chunk;
}
