import type { LogEntry } from '../../shared/log-entry.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { backoff, sleep } from '../core/sleep.ts';
import { partsOf } from './entry.ts';
import type { LogFilter } from './filter.ts';
import type { RecentEntries } from './history.ts';
import { cursorKey } from './journal/cursor.ts';
import type { GapReason, ResumePoint } from './journal/resume.ts';
import { pointAt } from './journal/seek.ts';
import type { SharedEvent } from './shared-resume.ts';
import { createChunk, type LogChunk, type Tail, type TailItem, type TailWatcher } from './tail.ts';

/** Where a viewer's lines go: an edge's connection, reduced to what a viewer needs. */
export interface LogSink {
  /** Hands lines over, in order. */
  deliver(chunk: LogChunk): void;
  gap(gap: { from: string | null; to: string | null; reason: GapReason }): void;
  /** Something the viewer should know; the stream goes on by itself where the error is retryable. */
  failed(error: AppError): void;
  /** Bytes handed over that the peer has not taken yet. */
  backlog(): number;
  /** Nothing more comes: the viewer was stopped, or failed for good. Called once. */
  ended(): void;
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
/** Longest wait for the stream before the journal is asked again, in ms. */
const CATCH_UP_WAIT_MS = 2000;

export type ViewerStart = { tail: number } | { after: string };

/** What all viewers of a stream have in common. */
export interface ViewerSource {
  tail: Tail;
  /** The newest lines of the journal; shared by viewers that ask at the same time. */
  recent(lines: number, filter: LogFilter | null, leaving: AbortSignal): Promise<RecentEntries>;
  /** Reads the journal behind a point up to its present end. */
  resume(point: ResumePoint, signal: AbortSignal): AsyncIterable<SharedEvent>;
  /** The line at a point, and those above it that belong to its entry. */
  entryAt(point: ResumePoint, signal: AbortSignal): Promise<LogEntry[]>;
  /** Whether other viewers wait for a place to read the journal. */
  crowded(): boolean;
  /** A viewer has ended: stopped, or failed for good. */
  onEnd(viewer: Viewer): void;
}

export interface ViewerOptions {
  sink: LogSink;
  start: ViewerStart;
  filter: LogFilter | null;
}

export interface Viewer {
  readonly sink: LogSink;
  /** Settles when it is known whether the lines behind `after` could all be found [SIO-4]. Rejects with an AppError. */
  readonly started: Promise<{ recovered: boolean }>;
  /** From here on it gives no more lines. Idempotent. */
  stop(): void;
}

/** The resume key of an entry, from its id: without the part that binds it to the stream. */
const keyOf = (id: string) => id.slice(8);

type TailLines = Extract<TailItem, { kind: 'lines' }>;

function nothing(): void {}

/**
 * A class, so that thousands of viewers share its code. One that is live is nothing but its fields: the tail's changes call
 * it. Only what takes time (catching up, waiting for a slow connection) is a running function with a signal that ends it.
 */
class StreamViewer implements Viewer, TailWatcher {
  readonly sink: LogSink;
  readonly started: Promise<{ recovered: boolean }>;
  private readonly source: ViewerSource;
  private readonly filter: LogFilter | null;
  /** Settles `started`; null when that is done. */
  private starting: { resolve(answer: { recovered: boolean }): void; reject(error: unknown): void } | null =
    null;
  /** The last line passed, shown or filtered out: its id, or the lines that it is the last of. */
  private last: string | TailLines | null = null;
  /** What a viewer without a position begins with, until it has taken it. */
  private opening: LogChunk | null = null;
  /** Where it goes on in the tail, once it is live. */
  private offset = 0;
  /** Ends what takes time; null while it is live. */
  private travel: AbortController | null = null;
  /** Ends the wait for a change of the tail. */
  private wake: () => void = nothing;
  private isStopped = false;

  constructor(source: ViewerSource, { sink, start, filter }: ViewerOptions) {
    this.source = source;
    this.sink = sink;
    this.filter = filter;
    this.started = new Promise<{ recovered: boolean }>((resolve, reject) => {
      this.starting = { resolve, reject };
    });
    // A viewer that was stopped early is not an unhandled rejection.
    this.started.catch(nothing);
    source.tail.watch(this);
    this.depart(start);
  }

  tailChanged(): void {
    if (this.travel) this.wake();
    else this.serve();
  }

  stop(): void {
    this.end(new AppError('ssh_closed'));
  }

  private end(reason: AppError): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.source.tail.unwatch(this);
    this.starting?.reject(reason);
    this.starting = null;
    this.travel?.abort();
    this.wake();
    this.source.onEnd(this);
    this.sink.ended();
  }

  private fail(error: unknown): void {
    if (this.isStopped) return;
    const failure = toAppError(error, 'log_stream_failed');
    this.sink.failed(failure);
    this.end(failure);
  }

  private begun(answer: { recovered: boolean }): void {
    this.starting?.resolve(answer);
    this.starting = null;
  }

  private lastId(): string | null {
    if (this.last === null || typeof this.last === 'string') return this.last;
    return this.last.chunk.entries().at(-1)?.id ?? null;
  }

  private lastKey(): string | null {
    if (this.last === null) return null;
    const key = typeof this.last === 'string' ? null : cursorKey(this.last.cursor ?? '');
    return key ?? keyOf(this.lastId() ?? '');
  }

  private lastPoint(): ResumePoint | null {
    const { last } = this;
    const known = last === null || typeof last === 'string' ? null : pointAt(last.cursor ?? '');
    if (known !== null) return known;
    const key = this.lastKey();
    return key === null ? null : { key, journal: this.source.tail.journal() };
  }

  private show(entries: readonly LogEntry[]): void {
    const { filter } = this;
    const wanted = filter ? entries.filter(filter) : entries;
    if (wanted.length > 0) this.sink.deliver(createChunk(wanted));
    this.last = entries.at(-1)?.id ?? this.last;
  }

  /** Gives what the tail holds from `offset` on. Where that takes time, it departs and comes back. */
  private serve(): void {
    const { tail } = this.source;
    try {
      while (!this.isStopped) {
        if (this.sink.backlog() >= BACKLOG_HIGH || this.offset < tail.begin()) {
          this.depart(null);
          return;
        }
        const item = tail.at(this.offset);
        if (!item) return;
        this.give(item);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  private give(item: TailItem): void {
    const { tail } = this.source;
    if (item.kind === 'gap') {
      const next = tail.at(item.offset + item.count);
      const to = next?.kind === 'lines' ? (next.chunk.entries()[0]?.id ?? null) : null;
      this.sink.gap({ from: this.lastId(), to, reason: item.reason });
    } else if (!this.filter && this.offset === item.offset) {
      this.sink.deliver(item.chunk);
      this.last = item;
    } else {
      this.show(item.chunk.entries().slice(this.offset - item.offset));
    }
    this.opening = null;
    this.offset = item.offset + item.count;
  }

  /** Does what takes time, and is live again afterwards. @param start null: it goes on from where it is */
  private depart(start: ViewerStart | null): void {
    this.travel = new AbortController();
    this.catchUp(start, this.travel.signal).catch((error: unknown) => this.fail(error));
  }

  private async catchUp(start: ViewerStart | null, signal: AbortSignal): Promise<void> {
    const { tail } = this.source;
    if (start) {
      await tail.ready;
      if ('after' in start) {
        this.last = start.after;
        await this.presetFilter(signal);
        this.offset = await this.meetTail(signal);
        this.begun({ recovered: !this.gapAhead() });
      } else {
        this.offset = await this.firstLines(start.tail, signal);
        this.begun({ recovered: true });
      }
    }
    while (await this.drained(signal)) {
      if (this.offset >= tail.begin()) {
        this.travel = null;
        this.serve();
        return;
      }
      if (this.last === null) this.takePosition();
      this.offset = await this.meetTail(signal);
    }
  }

  /** Lines that belong to an entry pass with it, also where the viewer goes on in the midst of it. */
  private async presetFilter(signal: AbortSignal): Promise<void> {
    const { filter } = this;
    const point = filter && this.lastPoint();
    const lines = point && (await this.persist(() => this.source.entryAt(point, signal), signal));
    for (const line of lines ?? []) filter?.(line);
  }

  /** Gives one that the tail has moved past before its first line a position to catch up from. */
  private takePosition(): void {
    if (this.opening) this.show(this.opening.entries());
    // A unit that had no line when the viewer began leaves it none.
    else this.sink.gap({ from: null, to: null, reason: 'slow_reader' });
    this.opening = null;
  }

  /** Whether the tail holds a gap where it goes on or behind that. */
  private gapAhead(): boolean {
    const { tail } = this.source;
    for (let item = tail.at(this.offset); item; item = tail.at(item.offset + item.count))
      if (item.kind === 'gap') return true;
    return false;
  }

  /** The first lines of a viewer that does not resume. @returns the offset in the tail to go on from */
  private async firstLines(lines: number, signal: AbortSignal): Promise<number> {
    const { filter, source } = this;
    const { tail } = source;
    const from = tail.end() - lines;
    if (!filter && from >= tail.begin() && tail.end() > tail.begin()) {
      // It may come to read only when the tail has moved past its first lines: what stands above them is its position.
      const above = tail.at(from - 1);
      const first = tail.at(from);
      if (above?.kind === 'lines' && from === above.offset + above.count) this.last = above;
      else if (above?.kind === 'lines')
        this.last = above.chunk.entries()[from - 1 - above.offset]?.id ?? null;
      else if (first?.kind === 'lines') this.opening = first.chunk;
      return from;
    }
    // Who wants no old lines still needs the newest one, to know where the new ones begin.
    const read = () => source.recent(Math.max(1, lines), lines === 0 ? null : filter, signal);
    const found = await this.persist(read, signal);
    if (!found || signal.aborted) return tail.end();
    this.begun({ recovered: true });
    if (lines > 0)
      for (const part of partsOf(found.entries)) {
        if (!(await this.drained(signal))) return tail.end();
        // They have been through the filter, which stands at the newest line now.
        this.sink.deliver(createChunk(part));
      }
    this.last = found.newest;
    return this.last === null ? tail.begin() : this.meetTail(signal);
  }

  /** Goes through the journal until it meets the tail. @returns the offset in the tail to go on from */
  private async meetTail(signal: AbortSignal): Promise<number> {
    const { tail } = this.source;
    while (!signal.aborted) {
      const key = this.lastKey();
      const held = key === null ? undefined : tail.find(key);
      if (held !== undefined) return held;
      const met = await this.persist(() => this.readJournal(signal), signal);
      if (met !== undefined) return met;
      // At the journal's end, but the stream does not reach it yet: its next change brings them together.
      await this.change(CATCH_UP_WAIT_MS, signal);
      // Or the connection took nothing for too long.
      await this.drained(signal);
    }
    return tail.end();
  }

  /** One pass through the journal behind the last line. @returns the offset in the tail to go on from, if it met the tail */
  private async readJournal(signal: AbortSignal): Promise<number | undefined> {
    const { filter, sink, source } = this;
    const { tail } = source;
    const point = this.lastPoint();
    if (point === null) return tail.begin();
    let gap: GapReason | null = null;
    for await (const event of source.resume(point, signal)) {
      if (signal.aborted) return undefined;
      if (event.kind === 'gap') {
        gap = event.reason;
        continue;
      }
      this.begun({ recovered: gap === null });
      if (!(await this.drained(signal, source.crowded() ? 0 : READ_PATIENCE_MS))) return undefined;
      const read = event.entries();
      const seam = read.findIndex((entry) => tail.find(keyOf(entry.id)) !== undefined);
      const entries = seam === -1 ? read : read.slice(0, seam + 1);
      if (gap !== null) {
        sink.gap({ from: this.lastId(), to: entries[0]?.id ?? null, reason: gap });
        gap = null;
      }
      if (filter || seam !== -1) this.show(entries);
      else {
        sink.deliver(event.chunk());
        this.last = entries.at(-1)?.id ?? this.last;
      }
      if (seam !== -1) return tail.find(this.lastKey() ?? '');
    }
    if (gap !== null && !signal.aborted) {
      // Nothing stands behind the missing line yet: whatever comes next in the tail is behind the gap.
      this.begun({ recovered: false });
      sink.gap({ from: this.lastId(), to: null, reason: gap });
      return tail.begin();
    }
    this.begun({ recovered: true });
    return tail.find(this.lastKey() ?? '');
  }

  /** Waits for the connection. @returns false where the viewer was stopped, or this took longer than it may */
  private async drained(signal: AbortSignal, patienceMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.sink.backlog() < BACKLOG_HIGH) return !signal.aborted;
    const until = performance.now() + patienceMs;
    while (!signal.aborted && this.sink.backlog() > BACKLOG_LOW) {
      if (performance.now() > until) return false;
      await sleep(BACKLOG_POLL_MS, signal);
    }
    return !signal.aborted;
  }

  /** Waits for the next change of the tail, at most `ms`. */
  private change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), ms);
      this.wake = () => {
        clearTimeout(timer);
        this.wake = nothing;
        resolve();
      };
      if (signal.aborted) this.wake();
    });
  }

  /** Tries again what failed for a passing reason, for as long as the viewer is there; tells it once. */
  private async persist<T>(
    attempt: () => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        return await attempt();
      } catch (error) {
        const failure = toAppError(error, 'log_stream_failed');
        if (!failure.retryable) throw failure;
        if (failures++ === 0 && !signal.aborted) this.sink.failed(failure);
        await sleep(backoff(failures, 250, 5000), signal);
      }
    }
    return undefined;
  }
}

/**
 * One reader of one stream with a position of its own: it catches up from the journal until it meets the tail, then it is
 * live; when it reads too slowly it is simply not served for a while, and catches up again if the tail has moved past it.
 */
export function createViewer(source: ViewerSource, options: ViewerOptions): Viewer {
  return new StreamViewer(source, options);
}
