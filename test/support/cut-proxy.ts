import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { atEnd } from './at-end.ts';

/** A TCP proxy on loopback whose connections can be cut or slowed down, as a bad network does. */
export interface CutProxy {
  readonly port: number;
  /** Resets all connections and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
  /** What the connecting side sends takes so long from here on, in ms. */
  lag(ms: number): void;
  stop(): Promise<void>;
}

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let lagMs = 0;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    const late = new Transform({
      transform(chunk, _encoding, done) {
        if (lagMs > 0) setTimeout(() => done(null, chunk), lagMs);
        else done(null, chunk);
      },
    });
    near.pipe(late).pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  let stopped: Promise<void> | undefined;
  const proxy: CutProxy = {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend() {
      isCut = false;
    },
    lag(ms) {
      lagMs = ms;
    },
    stop() {
      stopped ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return stopped;
    },
  };
  atEnd(proxy.stop);
  return proxy;
}
