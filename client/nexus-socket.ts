/** What the client reads of the events `message`, `close` and `error`; `message` only with `ws`. */
interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly message?: unknown;
}

/** What the client needs of a WebSocket: the browser's has it, and that of `ws`. */
export interface NexusWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number): void;
  /** Ends it at once; only in Node. */
  terminate?(): void;
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

/** A closing handshake, in ms. */
const CLOSE_TIMEOUT = 2000;
/** `readyState` of a socket that is gone. */
const CLOSED = 3;

/** Closes a socket whose events nobody listens to any more, at once where it does not answer. */
export function endSocket(socket: NexusWebSocket): Promise<void> {
  if (socket.readyState === CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    const limit = setTimeout(() => {
      socket.terminate?.();
      resolve();
    }, CLOSE_TIMEOUT);
    socket.addEventListener('close', () => {
      clearTimeout(limit);
      resolve();
    });
    socket.close(1000);
  });
}
