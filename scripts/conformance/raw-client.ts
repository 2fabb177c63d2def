import { createHash, randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Wait for anything from the server, in ms. */
const WAIT_MS = 5000;
/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame as it is sent; whatever is left out is as a good client has it. */
export interface FrameOptions {
  opcode?: number;
  /** Last fragment; true. */
  fin?: boolean;
  /** RSV1 to RSV3 as a number; 0. */
  rsv?: number;
  mask?: boolean;
  /** The length that the header claims, where it is not that of the payload. */
  claim?: bigint;
}

export interface ReceivedFrame {
  opcode: number;
  fin: boolean;
  payload: Buffer;
}

export interface Upgrade {
  path: string;
  headers?: Readonly<Record<string, string | null>>;
  method?: string;
}

/** The bytes of a frame, RFC 6455 section 5.2. */
export function encodeFrame(payload: Buffer | string, options: FrameOptions = {}): Buffer {
  const { opcode = TEXT, fin = true, rsv = 0, mask = true, claim } = options;
  const body = Buffer.from(payload);
  const length = claim ?? BigInt(body.length);
  const short = length < 126n ? Number(length) : length < 65_536n ? 126 : 127;
  const head = Buffer.alloc(2 + (short === 126 ? 2 : short === 127 ? 8 : 0));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | short;
  if (short === 126) head.writeUInt16BE(Number(length), 2);
  if (short === 127) head.writeBigUInt64BE(length, 2);
  if (!mask) return Buffer.concat([head, body]);
  const key = randomBytes(4);
  for (let at = 0; at < body.length; at += 1) body[at] = (body[at] ?? 0) ^ (key[at % 4] ?? 0);
  return Buffer.concat([head, key, body]);
}

/** Takes the first frame off a buffer; null where it is not whole yet. @throws Error where no server may send it */
export function decodeFrame(buffer: Buffer): { frame: ReceivedFrame; rest: Buffer } | null {
  if (buffer.length < 2) return null;
  const [first = 0, second = 0] = buffer;
  if (second & 0x80) throw new Error('the server masked a frame (RFC 6455 section 5.1)');
  if (first & 0x70) throw new Error('the server set a reserved bit');
  const short = second & 0x7f;
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (buffer.length < start) return null;
  const length =
    short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
  if (buffer.length < start + length) return null;
  const frame = {
    opcode: first & 0x0f,
    fin: (first & 0x80) !== 0,
    payload: buffer.subarray(start, start + length),
  };
  return { frame, rest: buffer.subarray(start + length) };
}

/** A WebSocket client that sends any bytes and hides nothing it gets. */
export interface RawClient {
  /** Status of the answer to the upgrade. */
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Frames so far that nobody has taken. */
  readonly frames: ReceivedFrame[];
  readonly ended: boolean;
  write(bytes: Buffer): void;
  /** Writes in pieces of so many bytes, each in a TCP segment of its own as far as the kernel agrees. */
  writeChopped(bytes: Buffer, size: number): Promise<void>;
  /** The next frame; null when the connection has ended. @throws Error where neither comes */
  take(): Promise<ReceivedFrame | null>;
  destroy(): void;
}

/** Where the server is: its `http:` or `https:` address, and for the latter the authority whose certificates count (PEM). */
export interface Base {
  readonly url: string;
  readonly ca?: Buffer;
}

/** Connects, asks for the upgrade, and reads the answer. */
export async function connectRaw({ url, ca }: Base, upgrade: Upgrade): Promise<RawClient> {
  const { hostname, port, protocol } = new URL(url);
  const options = { host: hostname, port: Number(port) };
  const socket: Socket =
    protocol === 'https:' ? connectTls({ ...options, ...(ca ? { ca } : {}) }) : connectTcp(options);
  socket.setNoDelay(true);
  const key = randomBytes(16).toString('base64');
  const frames: ReceivedFrame[] = [];
  const headers = new Map<string, string>();
  let status = 0;
  let buffer = Buffer.alloc(0);
  let ended = false;
  let failure: Error | null = null;
  let wake: (() => void) | undefined;

  function read(data: Buffer): void {
    buffer = Buffer.concat([buffer, data]);
    if (status === 0) {
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [first = '', ...lines] = buffer.subarray(0, end).toString().split('\r\n');
      for (const line of lines) {
        const colon = line.indexOf(':');
        headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
      }
      status = Number(first.split(' ')[1]);
      buffer = buffer.subarray(end + 4);
    }
    if (status !== 101) return;
    for (let next = decodeFrame(buffer); next; next = decodeFrame(buffer)) {
      frames.push(next.frame);
      buffer = Buffer.from(next.rest);
    }
  }

  socket.on('data', (data) => {
    try {
      read(data);
    } catch (error) {
      failure = error as Error;
    }
    wake?.();
  });
  const end = () => {
    ended = true;
    wake?.();
  };
  socket.on('error', end);
  socket.on('close', end);
  socket.on('end', end);

  async function until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!condition()) {
      if (failure) throw failure;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what} within ${WAIT_MS} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const fields: Record<string, string | null> = {
    Host: `${hostname}:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    ...upgrade.headers,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  );
  socket.write(`${upgrade.method ?? 'GET'} ${upgrade.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  await until(() => status !== 0 || ended, 'no answer to the upgrade');
  if (status === 101) {
    const expected = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    if (headers.get('sec-websocket-accept') !== expected) throw new Error('wrong Sec-WebSocket-Accept');
  }

  return {
    status,
    headers,
    frames,
    get ended() {
      return ended;
    },
    write: (bytes) => void socket.write(bytes),
    async writeChopped(bytes, size) {
      for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
        socket.write(bytes.subarray(at, at + size));
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    },
    async take() {
      await until(() => frames.length > 0 || ended, 'nothing came');
      return frames.shift() ?? null;
    },
    destroy: () => socket.destroy(),
  };
}
