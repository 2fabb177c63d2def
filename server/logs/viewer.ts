import type { LogEntry } from '../../shared/log-entry.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { backoff, sleep } from '../core/sleep.ts';
import type { LogFilter } from './filter.ts';
import { cursorKey } from './journal/cursor.ts';
import type { GapReason, ResumePoint } from './journal/resume.ts';
import type { SharedEvent } from './shared-resume.ts';
import { createChunk, type LogChunk, type Tail, type TailItem } from './tail.ts';

/** Where a viewer's lines go: an edge's connection, reduced to what a viewer needs. */
export interface LogSink {
  /** Hands lines over, in order. */
  deliver(chunk: LogChunk): void;
  gap(gap: { from: string | null; to: string | null; reason: GapReason }): void;
  /** Something the viewer should know; the stream goes on by itself where the error is retryable. */
  failed(error: AppError): void;
  /** Bytes handed over that the peer has not taken yet. */
  backlog(): number;
}

/** Over this many bytes of backlog a viewer is served no more [LOG-4]; below the low mark it goes on from its position. */
const BACKLOG_HIGH = 1_048_576;
const BACKLOG_LOW = 262_144;
/** How often a connection that does not read is looked at, in ms. */
const BACKLOG_POLL_MS = 100;
/**
 * A read of the journal waits this long for a connection that takes nothing, in ms; then it ends, because others may want
 * its place, and the viewer reads on from its own position when it can.
 */
const READ_PATIENCE_MS = 1000;
/** First lines are given in parts of this much line text, in characters. */
const PART_CHARS = 262_144;
/** Longest wait for the stream before the journal is asked again, in ms. */
const CATCH_UP_WAIT_MS = 2000;

export type ViewerStart = { tail: number } | { after: string };

export interface ViewerDeps {
  tail: Tail;
  sink: LogSink;
  start: ViewerStart;
  filter: LogFilter | null;
  /** The newest lines of the journal, oldest first; shared by viewers that ask at the same time. */
  recent(lines: number, filter: LogFilter | null, leaving: AbortSignal): Promise<LogEntry[]>;
  /** Reads the journal behind a point up to its present end. */
  resume(point: ResumePoint, signal: AbortSignal): AsyncIterable<SharedEvent>;
  /** Whether other viewers wait for a place to read the journal. */
  crowded(): boolean;
}

export interface Viewer {
  /** Settles when it is known whether the lines behind `after` could all be found [SIO-4]. Rejects with an AppError. */
  readonly started: Promise<{ recovered: boolean }>;
  /** Resolves when it gives no more lines: stopped, or because of an error that the sink was told. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** The resume key of an entry: its id without the part that binds it to the stream. */
const keyOf = (entry: LogEntry) => entry.id.slice(8);

/** Entries in parts of about PART_CHARS. */
function* partsOf(entries: readonly LogEntry[]): Generator<readonly LogEntry[]> {
  let from = 0;
  let chars = 0;
  for (const [at, entry] of entries.entries()) {
    chars += entry.line.length;
    if (chars < PART_CHARS && at + 1 < entries.length) continue;
    yield entries.slice(from, at + 1);
    from = at + 1;
    chars = 0;
  }
}

/**
 * One reader of one stream with a position of its own: it catches up from the journal until it meets the tail, then it is
 * live; when it reads too slowly it is simply not served for a while, and catches up again if the tail has moved past it.
 */
export function createViewer(deps: ViewerDeps): Viewer {
  const { tail, sink, filter } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** The last line passed, shown or filtered out: its key, and its id, which is made only when a gap has to name it. */
  let lastKey: string | null = null;
  let lastId: () => string | null = () => null;
  /** What a viewer without a position begins with, until it has taken it. */
  let opening: LogChunk | null = null;
  let settle: { resolve(answer: { recovered: boolean }): void; reject(error: unknown): void };
  const started = new Promise<{ recovered: boolean }>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // A viewer that was stopped early is not an unhandled rejection.
  started.catch(() => {});

  let wake: () => void = () => {};
  const unwatch = tail.onChange(() => wake());
  const changed = (ms?: number) =>
    new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => wake(), ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (signal.aborted) wake();
    });

  function passed(entry: LogEntry | undefined): void {
    if (!entry) return;
    lastId = () => entry.id;
    lastKey = keyOf(entry);
  }

  /** Takes everything of an item as passed. */
  function passedAll({ chunk, cursor }: Extract<TailItem, { kind: 'lines' }>): void {
    lastId = () => chunk.entries().at(-1)?.id ?? null;
    lastKey = cursor === null ? lastKey : cursorKey(cursor);
  }

  function show(entries: readonly LogEntry[]): void {
    const wanted = filter ? entries.filter(filter) : entries;
    if (wanted.length > 0) sink.deliver(createChunk(wanted));
    passed(entries.at(-1));
  }

  /** Waits for the connection. @returns false where the viewer was stopped, or this took longer than it may */
  async function drained(patienceMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (sink.backlog() < BACKLOG_HIGH) return !signal.aborted;
    const until = performance.now() + patienceMs;
    while (!signal.aborted && sink.backlog() > BACKLOG_LOW) {
      if (performance.now() > until) return false;
      await sleep(BACKLOG_POLL_MS, signal);
    }
    return !signal.aborted;
  }

  /** One pass through the journal behind `lastKey`. @returns the offset in the tail to go on from, if it met the tail */
  async function catchUpOnce(): Promise<number | undefined> {
    if (lastKey === null) return tail.begin();
    let gap: GapReason | null = null;
    for await (const event of deps.resume({ key: lastKey, journal: tail.journal() }, signal)) {
      if (signal.aborted) return undefined;
      if (event.kind === 'gap') {
        gap = event.reason;
        continue;
      }
      settle.resolve({ recovered: gap === null });
      if (!(await drained(deps.crowded() ? 0 : READ_PATIENCE_MS))) return undefined;
      const read = event.entries();
      const seam = read.findIndex((entry) => tail.find(keyOf(entry)) !== undefined);
      const entries = seam === -1 ? read : read.slice(0, seam + 1);
      if (gap !== null) {
        sink.gap({ from: lastId(), to: entries[0]?.id ?? null, reason: gap });
        gap = null;
      }
      if (filter || seam !== -1) show(entries);
      else {
        sink.deliver(event.chunk());
        passed(entries.at(-1));
      }
      if (seam !== -1) return tail.find(lastKey);
    }
    if (gap !== null && !signal.aborted) {
      // Nothing stands behind the missing line yet: whatever comes next in the tail is behind the gap.
      settle.resolve({ recovered: false });
      sink.gap({ from: lastId(), to: null, reason: gap });
      return tail.begin();
    }
    settle.resolve({ recovered: true });
    return tail.find(lastKey);
  }

  /** Tries again what failed for a passing reason, for as long as the viewer is there; tells it once. */
  async function persist<T>(attempt: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        return await attempt();
      } catch (error) {
        const failure = toAppError(error, 'log_stream_failed');
        if (!failure.retryable) throw failure;
        if (failures++ === 0 && !signal.aborted) sink.failed(failure);
        await sleep(backoff(failures, 250, 5000), signal);
      }
    }
    return undefined;
  }

  /** @returns the offset in the tail to go on from */
  async function catchUp(): Promise<number> {
    while (!signal.aborted) {
      const held = lastKey === null ? undefined : tail.find(lastKey);
      if (held !== undefined) return held;
      const met = await persist(catchUpOnce);
      if (met !== undefined) return met;
      // At the journal's end, but the stream does not reach it yet: its next change brings them together.
      await changed(CATCH_UP_WAIT_MS);
      // Or the connection took nothing for too long.
      await drained();
    }
    return tail.end();
  }

  /** Whether the tail holds a gap at `offset` or behind it. */
  function gapBehind(offset: number): boolean {
    for (let item = tail.at(offset); item; item = tail.at(item.offset + item.count))
      if (item.kind === 'gap') return true;
    return false;
  }

  /** The first lines of a viewer that does not resume. @returns the offset in the tail to go on from */
  async function firstLines(lines: number): Promise<number> {
    await tail.ready;
    const from = tail.end() - lines;
    if (!filter && from >= tail.begin() && tail.end() > tail.begin()) {
      // It may come to read only when the tail has moved past its first lines: what stands above them is its position.
      const above = tail.at(from - 1);
      const first = tail.at(from);
      if (above?.kind === 'lines' && from === above.offset + above.count) passedAll(above);
      else if (above?.kind === 'lines') passed(above.chunk.entries()[from - 1 - above.offset]);
      else if (first?.kind === 'lines') opening = first.chunk;
      return from;
    }
    // Who wants no old lines still needs the newest one, to know where the new ones begin.
    const entries = await persist(() => deps.recent(Math.max(1, lines), lines === 0 ? null : filter, signal));
    if (!entries || signal.aborted) return tail.end();
    settle.resolve({ recovered: true });
    if (lines === 0) passed(entries.at(-1));
    else
      for (const part of partsOf(entries)) {
        if (!(await drained())) return tail.end();
        show(part);
      }
    return lastKey === null ? tail.begin() : catchUp();
  }

  async function run(): Promise<void> {
    let offset: number;
    if ('after' in deps.start) {
      const { after } = deps.start;
      lastId = () => after;
      lastKey = after.slice(8);
      await tail.ready;
      offset = await catchUp();
      settle.resolve({ recovered: !gapBehind(offset) });
    } else {
      offset = await firstLines(deps.start.tail);
      settle.resolve({ recovered: true });
    }

    while (!signal.aborted) {
      if (!(await drained())) return;
      if (offset < tail.begin()) {
        if (lastKey === null && opening) show(opening.entries());
        // A unit that had no line when the viewer began leaves it no position to catch up from.
        else if (lastKey === null) sink.gap({ from: null, to: null, reason: 'slow_reader' });
        opening = null;
        offset = await catchUp();
        continue;
      }
      const item = tail.at(offset);
      if (!item) {
        await changed();
        continue;
      }
      if (item.kind === 'gap') {
        const next = tail.at(item.offset + item.count);
        const to = next?.kind === 'lines' ? (next.chunk.entries()[0]?.id ?? null) : null;
        sink.gap({ from: lastId(), to, reason: item.reason });
      } else if (!filter && offset === item.offset) {
        sink.deliver(item.chunk);
        passedAll(item);
      } else {
        show(item.chunk.entries().slice(offset - item.offset));
      }
      opening = null;
      offset = item.offset + item.count;
    }
  }

  const ended = run()
    .catch((error: unknown) => {
      const failure = toAppError(error, 'log_stream_failed');
      settle.reject(failure);
      if (!signal.aborted) sink.failed(failure);
    })
    .finally(() => unwatch());

  return {
    started,
    ended,
    stop() {
      stopping.abort();
      settle.reject(new AppError('ssh_closed'));
      wake();
    },
  };
}
