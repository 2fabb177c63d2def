import { once } from 'node:events';
import http from 'node:http';
import { io } from 'socket.io-client';
import type { Target } from './target.ts';

/** Between two newcomers, in ms. */
const PAUSE_MS = 25;
/** Longest time that one may take, in ms. */
const PATIENCE_MS = 5000;

export interface Newcomers {
  stop(): Promise<{ tries: number; good: number; slowestMs: number }>;
}

/**
 * Clients that come anew all the time and do everything right: a request over a connection of its own, and in turn a
 * Socket.IO connection with its session's token at the handshake or right after.
 */
export async function startNewcomers(target: Target): Promise<Newcomers> {
  const base = `http://127.0.0.1:${target.port}`;
  const token = await target.login();
  const going = new Set<Promise<void>>();
  const tally = { tries: 0, good: 0, slowestMs: 0 };

  async function ask(): Promise<boolean> {
    const request = http.get(`${base}/api/session`, {
      agent: false,
      headers: { authorization: `Bearer ${token}` },
      timeout: PATIENCE_MS,
    });
    request.on('timeout', () => request.destroy());
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode === 200;
  }
  async function join(atOnce: boolean): Promise<boolean> {
    const options = { transports: ['websocket'], forceNew: true, reconnection: false, timeout: PATIENCE_MS };
    const socket = io(base, { ...options, ...(atOnce ? { auth: { token } } : {}) });
    try {
      const ready = new Promise<boolean>((resolve) => {
        socket.on('authenticated', () => resolve(true));
        for (const event of ['connect_error', 'disconnect', 'error']) socket.on(event, () => resolve(false));
        if (!atOnce) socket.on('connect', () => socket.emit('authenticate', token));
      });
      return await Promise.race([ready, new Promise<boolean>((r) => setTimeout(r, PATIENCE_MS, false))]);
    } finally {
      socket.disconnect();
    }
  }

  const timer = setInterval(() => {
    const n = tally.tries;
    tally.tries += 1;
    const began = performance.now();
    const work = (n % 3 === 0 ? ask() : join(n % 3 === 1)).then(
      (good) => {
        if (good) tally.good += 1;
        tally.slowestMs = Math.max(tally.slowestMs, performance.now() - began);
      },
      () => {},
    );
    going.add(work);
    work.finally(() => going.delete(work));
  }, PAUSE_MS);

  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(going);
      return tally;
    },
  };
}
