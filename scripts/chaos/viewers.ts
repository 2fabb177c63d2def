import { io, type Socket } from 'socket.io-client';
import type { ClientToServerEvents, LogBatch, LogGap, ServerToClientEvents } from '../../shared/events.ts';
import { waitFor } from '../lab/wait.ts';
import type { HistoryEvent } from './checker.ts';
import type { Lines } from './lines.ts';
import { lengthOf, type Span } from './processor.ts';
import type { Random } from './random.ts';

/** A connection that is not made in this time goes to the next instance. */
const CONNECT_TIMEOUT_MS = 2000;
/** A subscription is answered in this time, or the viewer goes elsewhere; the server itself gives up after 10 s. */
const SUBSCRIBE_TIMEOUT_MS = 15_000;
/** Wait before a connection is made again, in ms, with jitter. */
const RETRY_MS: readonly [number, number] = [20, 250];

/** Batches whose delays are kept. */
const DELAYS_MAX = 10_000;

export interface Address {
  /** Null where nothing listens now. */
  url(): string | null;
}

export interface ViewerOptions {
  unit: string;
  lines: Lines;
  token: string;
  addresses: readonly Address[];
  /** Index of the instance it starts at and comes back to when told to. */
  home: number;
  random: Random;
}

/** One reader of one unit, as a good client behaves: it comes back to another instance with its last id and goes on. */
export interface Viewer {
  readonly unit: string;
  readonly home: number;
  /** Index of the instance it is connected to, or last tried. */
  readonly at: number;
  readonly subscribed: boolean;
  readonly history: readonly HistoryEvent[];
  /** Codes of `error` events and refused subscriptions, counted. */
  readonly errors: ReadonlyMap<string, number>;
  /** Connections made so far. */
  readonly connections: number;
  /** Subscriptions answered with `recovered: false`. */
  readonly unrecovered: number;
  /** Number of the newest line; -1 for none. */
  readonly newest: number;
  start(): void;
  /** Cuts the connection and comes back at `instance` (its home unless told) after `awayMs`. */
  move(options?: { to?: number; awayMs?: number }): void;
  /** Stops or goes on reading from the network; the connection stays. */
  pause(): void;
  resume(): void;
  /** From now on waits for a line that the journal took at `us` (epoch microseconds) or later. */
  mark(us: number): void;
  /** performance.now() at which that line came, if it has. */
  readonly marked: number | null;
  /** Longest time without a line since `mark`, up to the newest line. */
  readonly longestPause: Span;
  /** When the journal took the newest line, in epoch microseconds; 0 for none. */
  readonly newestUs: number;
  /** Of each batch since `mark`: ms from the journal to here, at most DELAYS_MAX of them. */
  readonly delays: readonly number[];
  leave(): void;
}

export function createViewer(options: ViewerOptions): Viewer {
  const { unit, lines, token, addresses, home, random } = options;
  const history: HistoryEvent[] = [];
  const errors = new Map<string, number>();
  let socket: Socket<ServerToClientEvents, ClientToServerEvents> | null = null;
  let at = home;
  let lastId: string | null = null;
  let newest = -1;
  let subscribed = false;
  let connections = 0;
  let unrecovered = 0;
  let left = false;
  let timer: NodeJS.Timeout | undefined;
  let markUs = Number.POSITIVE_INFINITY;
  let marked: number | null = null;
  let lastAt = performance.now();
  let longestPause: Span = { from: lastAt, to: lastAt };
  let delays: number[] = [];

  const count = (code: string) => errors.set(code, (errors.get(code) ?? 0) + 1);

  function take(id: string, text: string): void {
    const line = lines.number(id, text);
    const last = history.at(-1);
    if (last?.kind === 'lines' && last.last + 1 === line) last.last = line;
    else history.push({ kind: 'lines', first: line, last: line });
    lastId = id;
    newest = line;
    if (marked === null && lines.timeUs(line) >= markUs) marked = performance.now();
  }

  /** The WebSocket below everything, where reading can be stopped; not part of Socket.IO's interface. */
  function transport(): { pause(): void; resume(): void } | undefined {
    const engine = socket?.io.engine as unknown as
      | { transport?: { ws?: { pause(): void; resume(): void } } }
      | undefined;
    return engine?.transport?.ws;
  }

  function comeBack(waitMs: number, next: number): void {
    subscribed = false;
    const old = socket;
    socket = null;
    old?.off();
    old?.disconnect();
    if (left) return;
    at = next % addresses.length;
    clearTimeout(timer);
    timer = setTimeout(connect, waitMs);
  }
  const elsewhere = () => comeBack(random.between(...RETRY_MS), at + 1);

  function connect(): void {
    const url = addresses[at]?.url();
    if (!url) {
      elsewhere();
      return;
    }
    const mine: NonNullable<typeof socket> = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      timeout: CONNECT_TIMEOUT_MS,
      auth: { token },
    });
    socket = mine;
    mine.on('connect', () => {
      connections++;
      const request = { service: unit, batch: true, ...(lastId === null ? { tail: 1 } : { after: lastId }) };
      const refused = (code: string) => {
        if (socket !== mine) return;
        count(code);
        elsewhere();
      };
      mine
        .timeout(SUBSCRIBE_TIMEOUT_MS)
        .emitWithAck('subscribe_logs', request)
        .then(
          (answer) => {
            if (!answer.ok) refused(answer.error.code);
            else if (socket === mine) {
              subscribed = true;
              if (!answer.recovered) unrecovered++;
            }
          },
          () => refused('no_answer'),
        );
    });
    mine.on('log_batch', (batch: LogBatch) => {
      if (socket !== mine) return;
      for (const entry of batch.entries) take(entry.id, entry.line);
      const now = performance.now();
      if (now - lastAt > lengthOf(longestPause)) longestPause = { from: lastAt, to: now };
      lastAt = now;
      if (delays.length < DELAYS_MAX) delays.push(Date.now() - lines.timeUs(newest) / 1000);
    });
    mine.on('log_gap', (gap: LogGap) => history.push({ kind: 'gap', reason: gap.reason }));
    mine.on('error', (error) => count(error.code ?? 'error'));
    mine.on('connect_error', () => {
      if (socket === mine) elsewhere();
    });
    mine.on('disconnect', () => {
      if (socket === mine) elsewhere();
    });
  }

  return {
    unit,
    home,
    get at() {
      return at;
    },
    get subscribed() {
      return subscribed;
    },
    history,
    errors,
    get connections() {
      return connections;
    },
    get unrecovered() {
      return unrecovered;
    },
    get newest() {
      return newest;
    },
    start: connect,
    move({ to = home, awayMs = 0 } = {}) {
      comeBack(awayMs, to);
    },
    pause: () => transport()?.pause(),
    resume: () => transport()?.resume(),
    mark(us) {
      markUs = us;
      marked = null;
      longestPause = { from: lastAt, to: lastAt };
      delays = [];
    },
    get marked() {
      return marked;
    },
    get delays() {
      return delays;
    },
    get longestPause() {
      return longestPause;
    },
    get newestUs() {
      return newest < 0 ? 0 : lines.timeUs(newest);
    },
    leave() {
      left = true;
      clearTimeout(timer);
      comeBack(0, at);
    },
  };
}

/** Viewers are started so many at a time: each begins with a read of its own where the stream holds nothing yet. */
const START_STEP = 25;

/** A moment, and how the viewers fared since. A later mark ends an earlier one. */
export interface Mark {
  /**
   * Waits until each viewer has a line that the journal took after the moment.
   * @returns how long that took each
   */
  passed(options: { timeoutMs: number; only?: readonly Viewer[] }): Promise<Span[]>;
}

/** All viewers of a scenario. */
export interface Audience {
  readonly viewers: readonly Viewer[];
  /** Starts viewers and waits until all are subscribed. */
  add(viewers: readonly Viewer[]): Promise<void>;
  /** A moment from which new lines are waited for, by the host's clock. */
  mark(): Mark;
  /** The host's clock is so many seconds ahead from now on. */
  hostIsAhead(seconds: number): void;
  /** Waits until each has a line that the journal took after now; the mark stays. */
  flowing(options: { timeoutMs: number; only?: readonly Viewer[] }): Promise<void>;
  /** Viewers that are cut off come home, where their home is up. */
  goHome(): Promise<void>;
  leave(): void;
}

export function createAudience(): Audience {
  const viewers: Viewer[] = [];
  let aheadMs = 0;
  const subscribed = (group: readonly Viewer[]) =>
    waitFor('all viewers to be subscribed', () => group.every((viewer) => viewer.subscribed), {
      timeoutMs: 60_000,
      describe: () => describeErrors(group),
    });
  return {
    viewers,
    async add(more) {
      viewers.push(...more);
      for (let from = 0; from < more.length; from += START_STEP) {
        const group = more.slice(from, from + START_STEP);
        for (const viewer of group) viewer.start();
        await subscribed(group);
      }
    },
    mark() {
      const us = (Date.now() + aheadMs) * 1000;
      const started = performance.now();
      for (const viewer of viewers) viewer.mark(us);
      return {
        async passed({ timeoutMs, only = viewers }) {
          await waitFor('new lines at every viewer', () => only.every((viewer) => viewer.marked !== null), {
            timeoutMs,
            everyMs: 10,
            describe() {
              const waiting = only.filter((viewer) => viewer.marked === null);
              const places = [...new Set(waiting.map(({ at }) => at + 1))].join(' ');
              return `${waiting.length} of ${only.length} wait, at instance ${places}; errors: ${describeErrors(waiting)}`;
            },
          });
          return only.map((viewer) => ({ from: started, to: viewer.marked ?? started }));
        },
      };
    },
    hostIsAhead(seconds) {
      aheadMs = seconds * 1000;
    },
    async flowing({ timeoutMs, only = viewers }) {
      const us = (Date.now() + aheadMs) * 1000;
      await waitFor('lines to flow', () => only.every((viewer) => viewer.newestUs >= us), {
        timeoutMs,
        everyMs: 10,
      });
    },
    async goHome() {
      const away = viewers.filter((viewer) => viewer.at !== viewer.home);
      for (let from = 0; from < away.length; from += START_STEP) {
        const group = away.slice(from, from + START_STEP);
        for (const viewer of group) viewer.move();
        await subscribed(group);
      }
    },
    leave() {
      for (const viewer of viewers) viewer.leave();
    },
  };
}

/** Error codes that viewers saw, with their counts. */
export function describeErrors(viewers: readonly Viewer[]): string {
  const sums = new Map<string, number>();
  for (const { errors } of viewers)
    for (const [code, count] of errors) sums.set(code, (sums.get(code) ?? 0) + count);
  return [...sums].map(([code, count]) => `${code} ${count}`).join(', ');
}
