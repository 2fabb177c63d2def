import { askChild, endChild, startChild } from './child.ts';
import { programPath } from './programs.ts';
import type { SinkAnswer, SinkOptions, SinkRequest } from './sink-types.ts';

type Answer<K extends SinkAnswer['kind']> = Extract<SinkAnswer, { kind: K }>;

/** Connections take some ms each; a login over SSH may come first. */
const CONNECT_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** Many connections to one server, held by a process of their own. */
export interface Sink {
  readonly pid: number;
  /** Subscribes every Socket.IO connection to a unit, and waits until all are. */
  subscribe(payload: object): Promise<void>;
  /** Counts marks anew. The promise it gives settles when every connection has so many. */
  expect(marks: number, timeoutMs: number): Promise<{ done: Promise<Answer<'done'>> }>;
  stick(stuck: boolean): Promise<void>;
  report(): Promise<Answer<'report'>>;
  stop(): Promise<void>;
}

/** Starts a sink and waits until it is connected. */
export async function startSink(options: SinkOptions): Promise<Sink> {
  const child = startChild(process.execPath, [programPath('sink'), JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ask = <K extends SinkAnswer['kind']>(
    request: SinkRequest | null,
    kind: K,
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<Answer<K>> => askChild(child, request, kind, timeoutMs);
  const stop = () => endChild(child);
  try {
    await ask(null, 'connected', CONNECT_TIMEOUT_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    async subscribe(payload) {
      await ask({ do: 'subscribe', payload }, 'subscribed', CONNECT_TIMEOUT_MS);
    },
    async expect(marks, timeoutMs) {
      await ask({ do: 'expect', marks }, 'expecting');
      const done = ask(null, 'done', timeoutMs);
      // Awaited later than it may fail.
      done.catch(() => {});
      return { done };
    },
    async stick(stuck) {
      await ask({ do: 'stick', stuck }, 'expecting');
    },
    report: () => ask({ do: 'report' }, 'report'),
    stop,
  };
}
