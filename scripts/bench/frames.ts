import { randomBytes } from 'node:crypto';

/** A masked frame as a client sends it (RFC 6455 section 5.2), up to 64 KiB. */
export function clientFrame(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head = Buffer.from(
    payload.length < 126
      ? [0x80 | opcode, 0x80 | payload.length]
      : [0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255],
  );
  for (let n = 0; n < payload.length; n++) payload[n] = (payload[n] ?? 0) ^ (mask[n & 3] ?? 0);
  return Buffer.concat([head, mask, payload]);
}

/** Payloads up to this many bytes are always handed on: heartbeats. */
const SHORT = 8;

export interface FrameScanner {
  /** Marker bytes seen in payloads. */
  marks: number;
  /** Whether all payloads are handed on, or only short ones, while the others are just counted. */
  whole: boolean;
  push(chunk: Buffer): void;
}

/** Reads a server's frames, counting marker bytes in their payloads and nothing in their headers. */
export function createFrameScanner(marker: number, onPayload: (payload: Buffer) => void): FrameScanner {
  const header = Buffer.alloc(10);
  let headerLength = 0;
  let left = 0;
  let keep = true;
  let parts: Buffer[] = [];

  /** Length of the payload once the header is complete, else -1. */
  function payloadLength(): number {
    const short = (header[1] ?? 0) & 127;
    if (short < 126) return short;
    if (short === 126) return headerLength < 4 ? -1 : header.readUInt16BE(2);
    return headerLength < 10 ? -1 : Number(header.readBigUInt64BE(2));
  }

  function end(): void {
    if (!keep) return;
    const payload = Buffer.concat(parts);
    parts = [];
    onPayload(payload);
  }

  const scanner: FrameScanner = {
    marks: 0,
    whole: true,
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (left === 0) {
          header[headerLength++] = chunk[at++] ?? 0;
          const length = headerLength < 2 ? -1 : payloadLength();
          if (length < 0) continue;
          headerLength = 0;
          left = length;
          keep = scanner.whole || length <= SHORT;
          if (left === 0) end();
          continue;
        }
        const to = Math.min(chunk.length, at + left);
        let found = chunk.indexOf(marker, at);
        while (found !== -1 && found < to) {
          scanner.marks++;
          found = chunk.indexOf(marker, found + 1);
        }
        // The chunk's memory is used again.
        if (keep) parts.push(Buffer.from(chunk.subarray(at, to)));
        left -= to - at;
        at = to;
        if (left === 0) end();
      }
    },
  };
  return scanner;
}
