import { type LogBatch, type LogGap, type LogHistory, TAIL_MAX } from '../shared/events.ts';
import type { PackedEntry } from '../shared/log-batch.ts';
import { backoffDelay } from './backoff.ts';
import type { Answer, Connection } from './connection.ts';
import type { GatewayError } from './errors.ts';
import { createFrame } from './frame.ts';
import { createLogBuffer, type LevelCounts } from './log-buffer.ts';
import type { GapReason, LogItem } from './log-item.ts';
import { createListeners } from './store.ts';
import { createUsage } from './usage.ts';

/**
 * idle: nobody watches. waiting: for the connection. subscribing: asked, no answer yet. live: lines arrive as they are
 * written. interrupted: something is wrong at the host and is tried again by itself. failed: it will not get better
 * without a change.
 */
export type LogStreamStatus = 'idle' | 'waiting' | 'subscribing' | 'live' | 'interrupted' | 'failed';

export interface LogStreamSnapshot {
  readonly service: string;
  readonly status: LogStreamStatus;
  readonly error: GatewayError | null;
  /** Lines and gaps, oldest first. The array is not changed later. */
  readonly items: readonly LogItem[];
  readonly counts: LevelCounts;
  /** Lines that the buffer had no room for any more. */
  readonly dropped: number;
  /** The resume position: the id of the newest line. */
  readonly cursor: string | null;
  /** Whether the host may have older lines, and the buffer room for them. */
  readonly hasOlder: boolean;
  readonly loadingOlder: boolean;
  /** One higher each time all was forgotten: what was taken from here before does not join on to what is here now. */
  readonly life: number;
  readonly version: number;
}

export interface LogStream {
  readonly service: string;
  /** The same object until something changes. */
  get(): LogStreamSnapshot;
  /** Watches, and keeps the subscription on the gateway alive; told at most once per animation frame. */
  subscribe(listener: () => void): () => void;
  /** Fetches a page of lines older than the oldest one. @returns the error where there was one */
  loadOlder(limit?: number): Promise<GatewayError | null>;
  /** Asks for a page of history beside the stream; its lines do not enter it. */
  history(query: Omit<LogHistory, 'service'>): Promise<Answer<'log_history'>>;
  /** Subscribes again after a failure. */
  retry(): void;
}

/** What the gateway client calls on its streams. */
export interface LogStreamControl extends LogStream {
  onConnection(open: boolean): void;
  /** The connection is another user's, or to another host: nothing held is theirs. */
  onOtherSession(): void;
  onBatch(batch: LogBatch): void;
  onGap(gap: LogGap): void;
  onError(error: GatewayError): void;
  /** The host answers: an interruption is over although the service itself may be silent. */
  onHostAnswer(): void;
}

export interface LogStreamOptions {
  /** Lines before the live ones at the first subscription. */
  tail?: number;
  /** Items kept; see `createLogBuffer`. */
  capacity?: number;
  lingerMs?: number;
}

/** A screen or two of context, and enough for the level counts to mean something. */
const TAIL = 500;
/** Lines of one page of older ones. */
const PAGE = 500;

/**
 * The lines of one service. It asks for batches, remembers the id of the newest line, and after any reconnect asks for
 * what comes behind that id. Lines cannot be duplicated: at any time there is at most one subscription whose frames are
 * accepted, it was asked to start behind the newest line held, and a frame counts only between the request and its end.
 */
export function createLogStream(
  deps: { service: string; connection: Connection; retainConnection(): () => void },
  options: LogStreamOptions = {},
): LogStreamControl {
  const { service, connection } = deps;
  const buffer = createLogBuffer(options.capacity === undefined ? {} : { capacity: options.capacity });
  const listeners = createListeners();
  const frame = createFrame(listeners.notify);
  let releaseConnection: (() => void) | null = null;
  /** Where the subscription on the gateway stands. */
  let phase: 'detached' | 'subscribing' | 'attached' | 'leaving' = 'detached';
  /** One higher with each change of phase: an answer to an older request says nothing about the present. */
  let step = 0;
  let cursor: string | null = null;
  let error: GatewayError | null = null;
  let gapSeen = false;
  /** Watched already, when there was no line yet: all lines that come are new, but nothing to resume behind. */
  let wasEmpty = false;
  /** Ids held when the position was lost: the fresh start may begin with some of them. */
  let held: ReadonlySet<string> | null = null;
  let failures = 0;
  let retryTimer: ReturnType<typeof setTimeout> | null = null;
  let reachedStart = false;
  let loading: Promise<GatewayError | null> | null = null;
  let version = 0;
  let snapshot: LogStreamSnapshot | null = null;
  /** One higher with each reset: a page of history asked before belongs to another life. */
  let life = 0;

  const usage = createUsage({
    start() {
      releaseConnection = deps.retainConnection();
      attach();
    },
    end() {
      leave();
      reset();
      releaseConnection?.();
      releaseConnection = null;
    },
    ...(options.lingerMs === undefined ? {} : { lingerMs: options.lingerMs }),
  });

  function enter(next: typeof phase): number {
    phase = next;
    step += 1;
    return step;
  }

  function changed(): void {
    version += 1;
    snapshot = null;
    frame.request();
  }

  function status(): LogStreamStatus {
    if (!usage.inUse) return 'idle';
    if (error !== null) return error.retryable ? 'interrupted' : 'failed';
    if (phase === 'attached') return 'live';
    return connection.state.get().status === 'open' ? 'subscribing' : 'waiting';
  }

  function stopTimer(): void {
    if (retryTimer !== null) clearTimeout(retryTimer);
    retryTimer = null;
  }

  /** The place is given up after a while without viewers: coming back later starts with fresh lines. */
  function reset(): void {
    stopTimer();
    life += 1;
    cursor = null;
    wasEmpty = false;
    held = null;
    error = null;
    failures = 0;
    reachedStart = false;
    loading = null;
    buffer.clear();
    changed();
  }

  function appendGap(gap: { from: string | null; to: string | null; reason: GapReason }): void {
    gapSeen = true;
    buffer.appendGap(gap);
  }

  async function attach(): Promise<void> {
    if (!usage.inUse || phase !== 'detached' || connection.state.get().status !== 'open') return;
    stopTimer();
    const asked = enter('subscribing');
    gapSeen = false;
    changed();
    if (cursor === null && options.tail === 0 && !wasEmpty) {
      // Without old lines there would be nothing to resume behind until a new one comes.
      const newest = await connection.request('log_history', { service, limit: 1 });
      if (asked !== step) return;
      if (!newest.ok) {
        refused(newest.error, null);
        return changed();
      }
      cursor = newest.entries.at(-1)?.id ?? null;
      wasEmpty = cursor === null;
    }
    const after = cursor;
    const tail = wasEmpty ? TAIL_MAX : (options.tail ?? TAIL);
    const position = after === null ? { tail } : { after };
    const answer = await connection.request('subscribe_logs', { service, batch: true, ...position });
    if (asked !== step) return;
    if (answer.ok) {
      enter('attached');
      failures = 0;
      error = null;
      wasEmpty = cursor === null;
      if (after !== null && !answer.recovered && !gapSeen)
        appendGap({ from: after, to: null, reason: 'unknown' });
    } else {
      refused(answer.error, after);
    }
    changed();
  }

  function refused(reason: GatewayError, after: string | null): void {
    enter('detached');
    if (reason.code === 'invalid_position' && after !== null) {
      cursor = null;
      held = new Set(buffer.items().flatMap((item) => (item.kind === 'line' ? [item.id] : [])));
      appendGap({ from: after, to: null, reason: 'position_lost' });
      void attach();
    } else if (reason.code === 'timeout') {
      // The gateway may have subscribed all the same. Only a new connection makes sure that there is one subscription.
      connection.socket.io.engine?.close();
    } else if (reason.code !== 'not_connected') {
      error = reason;
      if (!reason.retryable) return;
      failures += 1;
      retryTimer = setTimeout(() => void attach(), backoffDelay(failures));
    }
  }

  async function leave(): Promise<void> {
    if (phase === 'detached' || phase === 'leaving') return;
    const asked = enter('leaving');
    const answer = await connection.request('unsubscribe_logs', { service });
    if (asked !== step) return;
    if (!answer.ok && answer.error.code === 'timeout') connection.socket.io.engine?.close();
    enter('detached');
    void attach();
  }

  /** What a fresh start repeats comes first; with the first batch that repeats nothing it is over. */
  function withoutHeld(entries: readonly PackedEntry[]): readonly PackedEntry[] {
    if (held === null) return entries;
    const ids = held;
    const fresh = entries.filter((entry) => !ids.has(entry.id));
    if (fresh.length > 0) held = null;
    return fresh;
  }

  const oldestLine = () => buffer.items().find((item) => item.kind === 'line');

  async function loadPage(limit: number): Promise<GatewayError | null> {
    const oldest = oldestLine();
    // What comes live may be the page's lines.
    if (oldest === undefined) return null;
    buffer.grow();
    const started = life;
    const answer = await connection.request('log_history', { service, limit, before: oldest.id });
    if (started !== life) return null;
    if (!answer.ok) return answer.error;
    // Had the oldest line fallen out meanwhile, there would be a hole between the page and the rest.
    if (oldestLine() === oldest) {
      buffer.prepend(answer.entries);
      reachedStart = !answer.hasMore;
    }
    return null;
  }

  return {
    service,
    get() {
      snapshot ??= {
        service,
        status: status(),
        error,
        items: buffer.items(),
        counts: buffer.counts(),
        dropped: buffer.dropped,
        cursor,
        hasOlder: (!reachedStart || buffer.dropped > 0) && buffer.hasRoom && oldestLine() !== undefined,
        loadingOlder: loading !== null,
        life,
        version,
      };
      return snapshot;
    },
    subscribe(listener) {
      const remove = listeners.add(listener);
      const release = usage.retain();
      return () => {
        remove();
        release();
      };
    },
    loadOlder(limit = PAGE) {
      if (loading !== null) return loading;
      const page = loadPage(limit).finally(() => {
        if (loading === page) loading = null;
        changed();
      });
      loading = page;
      changed();
      return page;
    },
    history: (query) => connection.request('log_history', { service, ...query }),
    retry() {
      error = null;
      failures = 0;
      if (phase === 'attached') void leave();
      else void attach();
      changed();
    },
    onConnection(open) {
      // Whatever was asked on the connection before has no answer any more.
      enter('detached');
      stopTimer();
      if (open) void attach();
      changed();
    },
    onOtherSession: reset,
    onBatch(batch) {
      if (phase !== 'subscribing' && phase !== 'attached') return;
      const newest = batch.entries.at(-1);
      if (newest === undefined) return;
      cursor = newest.id;
      error = null;
      buffer.append(withoutHeld(batch.entries), batch);
      changed();
    },
    onGap(gap) {
      if (phase !== 'subscribing' && phase !== 'attached') return;
      appendGap(gap);
      changed();
    },
    onHostAnswer() {
      if (phase !== 'attached' || error?.retryable !== true) return;
      error = null;
      changed();
    },
    onError(reason) {
      if (!usage.inUse) return;
      error = reason;
      changed();
    },
  };
}
