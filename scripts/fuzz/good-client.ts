import { once } from 'node:events';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Target } from './target.ts';

/** Longest wait for an answer or a message, in ms: the machine may be busy, the server must not be stuck. */
const WAIT_MS = 5000;
/** Between two messages, in ms. */
const PAUSE_MS = 50;

/** Two clients that do everything right, beside those that do not. */
export interface GoodClients {
  /** Messages that went through, and the longest time one took, in ms. */
  stop(): Promise<{ messages: number; slowestMs: number }>;
  /** The first thing that went wrong; null where nothing did. */
  fault(): string | null;
}

/** One publishes over Socket.IO, the other is a member over Nexus: it must get every message, in order, once, and nothing else. */
export async function startGoodClients(target: Target): Promise<GoodClients> {
  const room = 'well-behaved-clients-only';
  const member = new WebSocket(`ws://127.0.0.1:${target.port}/ws?token=${target.jwt}`);
  const publisher = io(`http://127.0.0.1:${target.port}`, { transports: ['websocket'], reconnection: false });
  let fault: string | null = null;
  let stopped = false;
  let messages = 0;
  let slowestMs = 0;
  let wake = () => {};
  const fail = (text: string) => {
    if (!stopped) fault ??= text;
    wake();
  };
  member.on('close', (code) => fail(`the Nexus client was closed with ${code}`));
  member.on('error', (error) => fail(error.message));
  publisher.on('disconnect', (reason) => fail(`the Socket.IO client was disconnected: ${reason}`));
  const ask = async (event: string, request: object): Promise<void> => {
    const answer = (await publisher.timeout(WAIT_MS).emitWithAck(event, request)) as { ok?: boolean };
    if (answer.ok !== true) throw new Error(`${event}: ${JSON.stringify(answer)}`);
  };
  await once(member, 'open');
  const joined = new Promise<void>((resolve) => {
    member.on('message', (data) => {
      const frame = JSON.parse(String(data)) as { type: string; data?: unknown };
      if (frame.type === 'subscribed') return resolve();
      if (frame.type === 'connected') return;
      if (frame.type !== 'message' || frame.data !== messages)
        return fail(`the Nexus client got ${String(data).slice(0, 200)} instead of message ${messages}`);
      messages += 1;
      wake();
    });
  });
  member.send(JSON.stringify({ action: 'subscribe', channel: room }));
  await joined;
  await ask('join_room', { room, token: target.jwt });

  async function run(): Promise<void> {
    for (let n = 0; !stopped && !fault; n += 1) {
      const begun = performance.now();
      const arrived = new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`message ${n} took over ${WAIT_MS} ms`)), WAIT_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      await Promise.all([ask('publish_room', { room, data: n }), arrived]);
      slowestMs = Math.max(slowestMs, performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  const running = run().catch((error: unknown) => fail(String(error)));

  return {
    fault: () => fault,
    async stop() {
      const last = setTimeout(() => fail('the clients did not end'), 2 * WAIT_MS);
      stopped = true;
      await running;
      clearTimeout(last);
      publisher.disconnect();
      member.terminate();
      return { messages, slowestMs };
    },
  };
}
