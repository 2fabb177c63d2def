import type { LogEntry } from '../../shared/log-entry.ts';
import type { StreamBatch, StreamHead, StreamStore } from '../cluster/types.ts';
import { sleep } from '../core/sleep.ts';
import type { Logger } from '../core/types.ts';
import { decodeBatch, encodeBatch } from './entry.ts';
import { cursorKey, journalOf } from './journal/cursor.ts';
import type { JournalRecord } from './journal/record.ts';
import type { GapReason, ResumeEvent, ResumePoint } from './journal/resume.ts';
import { pointAt } from './journal/seek.ts';

/** Lines in order, encoded once. One object is shared by all viewers of an instance. */
export interface LogChunk {
  /** JSON object text of the batch, see `encodeBatch`. */
  readonly body: string;
  /** The same as entries that stand alone; decoded when first asked for. */
  entries(): readonly LogEntry[];
}

export type TailItem = { offset: number; count: number; cursor: string | null } & (
  | { kind: 'lines'; chunk: LogChunk }
  | { kind: 'gap'; reason: GapReason }
);

/** Objects, not functions: a stream has thousands of them. */
export interface TailWatcher {
  tailChanged(): void;
}

/** The newest lines of one stream as this instance holds them. Offsets count lines (a gap counts as one) and never repeat. */
export interface Tail {
  /** Resolves when the store has been read for the first time. */
  readonly ready: Promise<void>;
  /** Offset of the oldest line kept. */
  begin(): number;
  /** Offset behind the newest line. */
  end(): number;
  /** The item that holds `offset`; undefined outside begin..end. */
  at(offset: number): TailItem | undefined;
  /** Offset behind the entry with this key; undefined where it is not held. */
  find(key: string): number | undefined;
  /** Seqnum id of the journal of the newest line, null if unknown. */
  journal(): string | null;
  /** Has a watcher told after every change, until `unwatch`. */
  watch(watcher: TailWatcher): void;
  unwatch(watcher: TailWatcher): void;
  stop(): void;
}

/** Bytes of bodies an instance keeps per stream. Whoever needs older lines reads the journal. */
const TAIL_MAX_BYTES = 4_194_304;
/** Items kept, however small. */
const TAIL_MAX_ITEMS = 8000;
/** Wait before the store is read again after it failed, in ms. */
const RETRY_MS = 500;

const keyOf = (entry: LogEntry) => entry.id.slice(8);

export function createChunk(entries: readonly LogEntry[]): LogChunk {
  return { body: encodeBatch(entries), entries: () => entries };
}

function storedChunk(body: string): LogChunk {
  let decoded: readonly LogEntry[] | undefined;
  return {
    body,
    entries() {
      decoded ??= decodeBatch(body);
      return decoded;
    },
  };
}

export interface TailDeps {
  stream: string;
  store: Pick<StreamStore, 'read' | 'follow'>;
  logger: Logger;
  /** Entries of journal records, for what has to be read past the stream. */
  toEntries(records: readonly JournalRecord[]): LogEntry[];
  /** Reads the journal behind a point up to its present end. */
  resume(point: ResumePoint, signal: AbortSignal): AsyncIterable<ResumeEvent>;
}

/**
 * Follows a stream of the store and keeps its newest lines. When the stream cannot be followed without a hole (a new epoch
 * after the store lost data, or it was trimmed) the lines between are read from the journal, once for all viewers of this
 * instance, and only where the journal has them no more a gap is put in.
 */
export function createTail(deps: TailDeps): Tail {
  const { stream, store, logger } = deps;
  const stopping = new AbortController();
  const items: TailItem[] = [];
  const index = new Map<string, number>();
  let indexed = 0;
  let bytes = 0;
  let end = 0;
  let last: string | null = null;
  const watchers = new Set<TailWatcher>();

  const begin = () => items[0]?.offset ?? end;

  function notify(): void {
    for (const watcher of watchers) watcher.tailChanged();
  }

  function drop(item: TailItem): void {
    if (item.kind !== 'lines') return;
    bytes -= item.chunk.body.length;
    if (item.offset + item.count > indexed) return;
    for (const entry of item.chunk.entries()) {
      const key = keyOf(entry);
      if ((index.get(key) ?? end) <= item.offset + item.count) index.delete(key);
    }
  }

  function push(item: TailItem): void {
    items.push(item);
    end += item.count;
    if (item.kind === 'lines') {
      bytes += item.chunk.body.length;
      last = item.cursor;
    }
    while (items.length > 1 && (bytes > TAIL_MAX_BYTES || items.length > TAIL_MAX_ITEMS)) {
      const oldest = items.shift();
      if (oldest) drop(oldest);
    }
    indexed = Math.max(indexed, begin());
    notify();
  }

  function pushLines(chunk: LogChunk, count: number, cursor: string): void {
    push({ kind: 'lines', offset: end, count, cursor, chunk });
  }

  function at(offset: number): TailItem | undefined {
    let low = 0;
    let high = items.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const item = items[middle];
      if (!item || offset < item.offset) high = middle - 1;
      else if (offset >= item.offset + item.count) low = middle + 1;
      else return item;
    }
    return undefined;
  }

  function find(key: string): number | undefined {
    while (indexed < end) {
      const item = at(indexed);
      if (!item) break;
      if (item.kind === 'lines') {
        let offset = item.offset;
        for (const entry of item.chunk.entries()) index.set(keyOf(entry), ++offset);
      }
      indexed = item.offset + item.count;
    }
    return index.get(key);
  }

  const point = (): ResumePoint | null => (last === null ? null : pointAt(last));

  /**
   * Appends from the journal what lies between the newest line here and the first line that the store holds.
   * @returns false where the store's lines do not come next: the journal ends before any of them comes, so they are older
   *   than what is here, or gone from the journal too and inside of the gap that was put in
   */
  async function bridge(from: ResumePoint, held: ReadonlySet<string | null>): Promise<boolean> {
    let gap = false;
    let read = false;
    for await (const event of deps.resume(from, stopping.signal)) {
      if (event.kind === 'gap') {
        push({ kind: 'gap', offset: end, count: 1, cursor: last, reason: event.reason });
        gap = true;
        continue;
      }
      const stop = event.records.findIndex((record) => held.has(cursorKey(record.cursor)));
      const records = stop === -1 ? event.records : event.records.slice(0, stop);
      const newest = records.at(-1);
      if (newest) pushLines(createChunk(deps.toEntries(records)), records.length, newest.cursor);
      if (stop !== -1) return true;
      read = true;
    }
    return gap && !read;
  }

  /** Takes over what the store holds, joined to what is here. */
  async function join(batches: readonly StreamBatch[]): Promise<void> {
    const from = point();
    const chunks = batches.map((batch) => ({ batch, chunk: storedChunk(batch.body) }));
    const newest = batches.at(-1);
    if (!from || !newest) {
      for (const { batch, chunk } of chunks) pushLines(chunk, batch.count, batch.cursor);
      return;
    }
    // Nothing new: the store is behind what is here (it lost data), the owner will repeat those lines.
    if (find(cursorKey(newest.cursor) ?? '') !== undefined) return;
    const held = new Set<string | null>(chunks.flatMap(({ chunk }) => chunk.entries().map(keyOf)));
    const joined = held.has(from.key);
    if (!joined && !(await bridge(from, held))) return;
    const start = joined
      ? chunks.findIndex(({ chunk }) => chunk.entries().some((entry) => keyOf(entry) === from.key))
      : 0;
    for (const { batch, chunk } of chunks.slice(start)) {
      const entries = chunk.entries();
      const skip = joined ? entries.findIndex((entry) => keyOf(entry) === from.key) + 1 : 0;
      if (skip === 0) pushLines(chunk, batch.count, batch.cursor);
      else if (skip < entries.length)
        pushLines(createChunk(entries.slice(skip)), entries.length - skip, batch.cursor);
    }
  }

  /** Follows the store until it resets. Lines that are here already (after a loss in the store) are left out. */
  function followFrom(head: StreamHead | null): Promise<void> {
    // What follows the stream's head follows our newest line only if that is the head: else the store is read again.
    const continues = head !== null && head.cursor === last;
    return new Promise((resolve) => {
      const stop = () => {
        follower.stop();
        stopping.signal.removeEventListener('abort', stop);
        resolve();
      };
      const follower = store.follow(stream, head, {
        onBatch(batch) {
          if (!continues) return stop();
          pushLines(storedChunk(batch.body), batch.count, batch.cursor);
        },
        onReset: stop,
      });
      stopping.signal.addEventListener('abort', stop, { once: true });
      if (stopping.signal.aborted) stop();
    });
  }

  let markReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const held = await store.read(stream);
        await join(held?.batches ?? []);
        markReady();
        const { batches: _, ...head } = held ?? { batches: [], epoch: '', seq: 0, cursor: null };
        await followFrom(held ? head : null);
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.debug('stream cannot be joined yet', { stream, error: String(error) });
        await sleep(RETRY_MS, stopping.signal);
      }
    }
  }
  void run().finally(markReady);

  return {
    ready,
    begin,
    end: () => end,
    at,
    find,
    journal: () => (last === null ? null : journalOf(last)),
    watch(watcher) {
      watchers.add(watcher);
    },
    unwatch(watcher) {
      watchers.delete(watcher);
    },
    stop() {
      stopping.abort();
      notify();
    },
  };
}
