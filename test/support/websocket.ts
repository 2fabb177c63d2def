import { WebSocket } from 'ws';
import { atEnd } from './at-end.ts';
import { until } from './until.ts';

/** A plain WebSocket client that keeps what it gets, so that nothing is missed between two looks. */
export interface TestSocket {
  readonly ws: WebSocket;
  /** Every text message so far. */
  readonly texts: readonly string[];
  /** Every message so far, parsed as JSON. */
  readonly messages: readonly Record<string, unknown>[];
  /** How the connection ended; null while it is open. */
  readonly closed: { code: number; reason: string } | null;
  /** Sends a string as it is, anything else as JSON. */
  send(message: unknown): void;
  /** The first message, from the last one taken on, that fits; waits for it. @throws after `timeoutMs` */
  next(
    fits: (message: Record<string, unknown>) => boolean,
    timeoutMs?: number,
  ): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Why an upgrade was refused. */
export class UpgradeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

export interface TestSocketOptions {
  protocols?: string[];
  headers?: Record<string, string>;
  perMessageDeflate?: boolean;
  autoPong?: boolean;
}

/** Wraps a connection from its beginning on. */
function follow(ws: WebSocket): TestSocket {
  const texts: string[] = [];
  const messages: Record<string, unknown>[] = [];
  let closed: TestSocket['closed'] = null;
  let taken = 0;
  ws.on('message', (data) => {
    const text = data.toString();
    texts.push(text);
    try {
      messages.push(JSON.parse(text) as Record<string, unknown>);
    } catch {
      messages.push({ text });
    }
  });
  ws.on('close', (code, reason) => {
    closed = { code, reason: reason.toString() };
  });
  return {
    ws,
    texts,
    messages,
    get closed() {
      return closed;
    },
    send: (message) => ws.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next(fits, timeoutMs) {
      let found: Record<string, unknown> | undefined;
      await until(() => {
        for (; taken < messages.length && !found; taken += 1) {
          const message = messages[taken];
          if (message && fits(message)) found = message;
        }
        return found;
      }, timeoutMs);
      return found ?? {};
    },
    async close() {
      ws.close();
      await until(() => ws.readyState === ws.CLOSED);
    },
  };
}

/** Opens a connection. @param url `http:` becomes `ws:` @throws UpgradeRefused */
export async function openSocket(url: string, options: TestSocketOptions = {}): Promise<TestSocket> {
  const { protocols = [], headers = {}, perMessageDeflate = false, autoPong = true } = options;
  const ws = new WebSocket(url.replace(/^http/, 'ws'), protocols, { headers, perMessageDeflate, autoPong });
  const socket = follow(ws);
  atEnd(async () => ws.terminate());
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
    ws.once('unexpected-response', (request, response) => {
      reject(new UpgradeRefused(response.statusCode ?? 0));
      request.destroy();
    });
  });
  ws.on('error', () => {});
  return socket;
}

/** The status with which an upgrade is refused; 101 where it is not. */
export async function upgradeStatus(url: string, options: TestSocketOptions = {}): Promise<number> {
  try {
    const socket = await openSocket(url, options);
    await socket.close();
    return 101;
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status;
    throw error;
  }
}
