import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay on loopback that can make the way through it bad. Bytes are never changed, lost or put in another order. */
export interface Relay {
  readonly port: number;
  /** Delays all bytes by `ms` give or take `jitterMs` in each direction; 0 ends it. */
  delay(ms: number, jitterMs?: number): void;
  /** Like a cut wire: connections stay open and nothing passes, new ones too, until `restore`. */
  hang(): void;
  /** Like a host that is down: every connection is reset, new ones at once, until `restore`. */
  cut(): void;
  /** Resets the connections there are; new ones pass. */
  reset(): void;
  restore(): void;
  /** Connections open now. */
  connections(): number;
  stop(): Promise<void>;
}

/** Bytes of one direction that wait for their moment before the sender is held back. */
const WAITING_MAX = 1_048_576;

export async function createRelay(
  target: () => { host: string; port: number },
  random: () => number,
): Promise<Relay> {
  let mode: 'pass' | 'hang' | 'cut' = 'pass';
  let latency = { ms: 0, jitterMs: 0 };
  const sockets = new Set<Socket>();
  const pumps = new Set<() => void>();

  /** Carries one direction. */
  function carry(from: Socket, to: Socket): void {
    const queue: { chunk: Buffer | null; at: number }[] = [];
    let waiting = 0;
    let last = 0;
    let timer: NodeJS.Timeout | undefined;

    const pump = () => {
      clearTimeout(timer);
      while (mode === 'pass') {
        const [first] = queue;
        if (!first) break;
        const now = performance.now();
        if (first.at > now) {
          timer = setTimeout(pump, first.at - now);
          break;
        }
        queue.shift();
        if (first.chunk === null) to.end();
        else {
          waiting -= first.chunk.length;
          to.write(first.chunk);
        }
      }
      if (waiting < WAITING_MAX / 2 && to.writableLength < WAITING_MAX) from.resume();
    };
    const push = (chunk: Buffer | null) => {
      const wish = performance.now() + latency.ms + (2 * random() - 1) * latency.jitterMs;
      // Jitter must not put bytes in another order: TCP would not either.
      last = Math.max(last, wish);
      queue.push({ chunk, at: last });
      waiting += chunk?.length ?? 0;
      if (waiting > WAITING_MAX || to.writableLength > WAITING_MAX) from.pause();
      pump();
    };
    from.on('data', push);
    from.on('end', () => push(null));
    to.on('drain', pump);
    pumps.add(pump);
    from.on('close', () => {
      // What has been taken is still delivered, unless the other side has gone as well.
      if (to.destroyed || queue.length === 0) pumps.delete(pump);
    });
    to.on('close', () => {
      clearTimeout(timer);
      pumps.delete(pump);
    });
  }

  function kill(socket: Socket): void {
    if (socket.destroyed) return;
    // libuv refuses to reset a connection whose end is on its way, and Node then never closes it.
    if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
  }

  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (mode === 'cut') return kill(near);
    const far = connect({ ...target(), allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => kill(other));
      one.on('close', (failed) => {
        sockets.delete(one);
        if (failed) kill(other);
        else if (!other.destroyed && other.writableEnded) other.destroy();
      });
      carry(one, other);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const reset = () => {
    for (const socket of [...sockets]) kill(socket);
  };
  let stopping: Promise<void> | undefined;

  return {
    port,
    delay(ms, jitterMs = 0) {
      latency = { ms, jitterMs };
    },
    hang() {
      mode = 'hang';
    },
    cut() {
      mode = 'cut';
      reset();
    },
    reset,
    restore() {
      mode = 'pass';
      for (const pump of [...pumps]) pump();
    },
    connections: () => sockets.size / 2,
    stop() {
      stopping ??= new Promise((resolve) => {
        server.close(() => resolve());
        reset();
      });
      return stopping;
    },
  };
}
