import { randomUUID } from 'node:crypto';
import { formatMbHeader, type MbHeader, parseMbHeader } from '../../shared/mb.ts';
import { until } from './until.ts';
import { openSocket, type TestSocket, type TestSocketOptions } from './websocket.ts';

/** A message of the Message Broker protocol, taken apart. */
export interface MbFrame {
  /** The header line as it came. */
  line: string;
  header: MbHeader;
  payload: unknown;
  binary: boolean;
}

/** A Message Broker client that keeps what it gets. */
export interface MbClient {
  readonly socket: TestSocket;
  readonly frames: readonly MbFrame[];
  /** Sends one message; returns its request id. */
  send(
    header: Partial<MbHeader> & { topic: string },
    payload?: unknown,
    options?: { binary?: boolean },
  ): string;
  /** Sends a request and waits for its answer; several may be under way. */
  ask(topic: string, payload?: unknown, header?: Partial<MbHeader>): Promise<MbFrame>;
  subscribe(topic: string, action?: 'publish' | 'request' | 'both'): Promise<void>;
  /** The first message, from the last one taken on, that fits. @throws after `timeoutMs` */
  next(fits: (frame: MbFrame) => boolean, timeoutMs?: number): Promise<MbFrame>;
  /** Answers every request by `answer` of its payload. */
  serve(answer: (payload: unknown, frame: MbFrame) => unknown): void;
  close(): Promise<void>;
}

export async function openMb(url: string, options: TestSocketOptions = {}): Promise<MbClient> {
  const socket = await openSocket(url, options);
  const frames: MbFrame[] = [];
  let taken = 0;
  let onRequest: ((frame: MbFrame) => void) | undefined;
  socket.ws.on('message', (data, binary) => {
    const [line = '', ...rest] = data.toString().split('\n');
    const parsed = parseMbHeader(line);
    if (!parsed.ok) throw new Error(`the server sent the header ${line}`);
    const frame = { line, header: parsed.header, payload: JSON.parse(rest.join('\n')) as unknown, binary };
    frames.push(frame);
    if (frame.header.action === 'request') onRequest?.(frame);
  });

  const client: MbClient = {
    socket,
    frames,
    send(header, payload = {}, { binary = false } = {}) {
      const requestId = header.requestId ?? randomUUID();
      const line = formatMbHeader({ action: 'publish', version: '1.0.0', requestId, ...header });
      const text = `${line}\n${JSON.stringify(payload)}`;
      socket.ws.send(binary ? Buffer.from(text) : text);
      return requestId;
    },
    async ask(topic, payload, header = {}) {
      const id = client.send({ action: 'request', topic, ...header }, payload);
      const answer = () => frames.find((frame) => frame.header.parentRequestId === id);
      await until(answer, 10_000);
      const found = answer();
      if (!found) throw new Error('unreachable');
      return found;
    },
    async subscribe(topic, action) {
      const { payload } = await client.ask('system.topic.subscribe', {
        topic,
        ...(action ? { action } : {}),
      });
      if ((payload as { status?: string }).status !== 'success') throw new Error(JSON.stringify(payload));
    },
    async next(fits, timeoutMs) {
      let found: MbFrame | undefined;
      await until(() => {
        for (; taken < frames.length && !found; taken += 1) {
          const frame = frames[taken];
          if (frame && fits(frame)) found = frame;
        }
        return found;
      }, timeoutMs);
      if (!found) throw new Error('unreachable');
      return found;
    },
    serve(answer) {
      onRequest = (frame) => {
        const { topic, requestId } = frame.header;
        client.send({ action: 'response', topic, parentRequestId: requestId }, answer(frame.payload, frame), {
          binary: frame.binary,
        });
      };
    },
    close: socket.close,
  };
  return client;
}

/** The code of an error payload. */
export const errorCode = ({ payload }: MbFrame): unknown => (payload as { code?: unknown }).code;
