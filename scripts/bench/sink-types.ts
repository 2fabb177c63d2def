export interface SinkOptions {
  host: string;
  port: number;
  path: string;
  sockets: number;
  /** `plain`: whoever is connected is subscribed. */
  protocol: 'socketio' | 'plain' | 'nats';
  /** Socket.IO: the handshake's `auth`. */
  auth?: object;
  /** NATS: what to subscribe to. */
  subject?: string;
  /** `plain`: what a connection sends first, and what stands in the answer that says that it is in. */
  hello?: { send: string; answer: string };
  /** Every so many-th connection keeps how old each message was by the `"sent":MS` in it, in ms of `now()`. */
  stampsEvery?: number;
  /** Reads the lines' ids and keeps how old each line was when it came. */
  delays?: boolean;
}

export type SinkRequest =
  | { do: 'subscribe'; payload: object }
  /** Counts from nothing; `done` follows when every socket has so many marks. */
  | { do: 'expect'; marks: number }
  /** Stops or goes on reading from the first socket. */
  | { do: 'stick'; stuck: boolean }
  | { do: 'report' }
  | { do: 'stop' };

export type SinkAnswer =
  | { kind: 'connected' }
  | { kind: 'subscribed' }
  | { kind: 'expecting' }
  /** `at` in ms of `now()`; bytes and marks since `expect`. */
  | { kind: 'done'; at: number; bytes: number; most: number; sum: number }
  | { kind: 'report'; delays: number[]; counts: number[]; bytes: number }
  | { kind: 'failed'; text: string };
