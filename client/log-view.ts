import { type CompiledFilter, compileFilter, type LogFilter } from './log-filter.ts';
import type { LogItem } from './log-item.ts';
import type { LogStream, LogStreamSnapshot } from './log-stream.ts';
import { createOlderSearch, type OlderSearch } from './older-search.ts';
import { createListeners } from './store.ts';

export interface LogViewSnapshot extends Omit<LogStreamSnapshot, 'items' | 'life' | 'version'> {
  /** What is to be shown: filtered, and standing still while paused. */
  readonly lines: readonly LogItem[];
  readonly filter: LogFilter;
  /** Why the search pattern cannot be used; the search is off then. */
  readonly filterError: string | null;
  readonly paused: boolean;
  /** Matching lines that arrived since the pause. */
  readonly newCount: number;
  /** Lines in the buffer, shown or not. */
  readonly total: number;
  /** The search for older lines that pass the filter; what it found stands in front of `lines`. */
  readonly older: OlderSearch;
}

/** One viewer's window on a stream: its own filter, pause and clear; the stream below goes on. */
export interface LogView {
  get(): LogViewSnapshot;
  subscribe(listener: () => void): () => void;
  setFilter(filter: LogFilter): void;
  pause(): void;
  resume(): void;
  /** Hides what is there; new lines are shown. `loadOlder` brings it back. */
  clear(): void;
  loadOlder(): Promise<void>;
  /** With a filter: finds the next older lines on the host that pass it, however far back they are. */
  searchOlder(): Promise<void>;
  /** See `LogStream.history`. */
  history: LogStream['history'];
  retry(): void;
}

const NO_ITEMS: readonly LogItem[] = Object.freeze([]);

/** A view looks at each item once, however long the buffer is. */
export function createLogView(stream: LogStream, initialFilter: LogFilter = {}): LogView {
  const listeners = createListeners();
  let filter: LogFilter = initialFilter;
  let compiled: CompiledFilter = compileFilter(filter);
  let passes = compiled.walk();
  let matching: readonly LogItem[] = NO_ITEMS;
  /** First and last sequence number that `matching` was made from; null: make it anew. */
  let seen: { first: number; last: number } | null = null;
  /** Of the stream: after another one nothing that was made from it counts. */
  let life = stream.get().life;
  /** Items before this number were cleared away. */
  let floor = Number.NEGATIVE_INFINITY;
  let frozen: { lines: readonly LogItem[]; last: number } | null = null;
  let snapshot: LogViewSnapshot | null = null;
  let source: LogStreamSnapshot | null = null;

  const older = createOlderSearch(stream, () => {
    refreeze();
    changed();
  });
  older.reset(filter);

  /** What passes of items in order; a fresh walk, or the one that goes on behind `matching`. */
  function pick(items: readonly LogItem[], walk: (item: LogItem) => boolean): LogItem[] {
    return items.filter((item) => walk(item) && item.seq >= floor);
  }

  function follow(items: readonly LogItem[]): void {
    const first = items[0];
    const last = items.at(-1);
    if (first === undefined || last === undefined) {
      matching = NO_ITEMS;
      seen = null;
    } else if (seen === null || first.seq < seen.first || first.seq > seen.last) {
      // All that was seen has fallen out, and more that nobody has looked at, unless the next line is the first one now.
      if (seen !== null && first.seq === seen.last + 1) older.adopt(matching);
      else if (seen !== null && first.seq > seen.last) older.reset(filter);
      passes = compiled.walk();
      matching = pick(items, passes);
      seen = { first: first.seq, last: last.seq };
    } else {
      const found = matching.findIndex((item) => item.seq >= first.seq);
      const gone = found === -1 ? matching.length : found;
      if (gone > 0) older.adopt(matching.slice(0, gone));
      const kept = gone === 0 ? matching : matching.slice(gone);
      const added = pick(items.slice(seen.last - first.seq + 1), passes);
      matching = added.length === 0 ? kept : kept.concat(added);
      seen = { first: first.seq, last: last.seq };
    }
  }

  function read(): LogViewSnapshot {
    const current = stream.get();
    if (snapshot !== null && source === current) return snapshot;
    if (current.life !== life) {
      life = current.life;
      floor = Number.NEGATIVE_INFINITY;
      seen = null;
      frozen = null;
      older.reset(filter);
    }
    if (source?.items !== current.items || seen === null) follow(current.items);
    source = current;
    const { items, life: _life, version: _version, ...rest } = current;
    snapshot = {
      ...rest,
      hasOlder: rest.hasOlder || floor > (items[0]?.seq ?? floor),
      lines: frozen?.lines ?? joined(older.lines(), matching),
      filter,
      filterError: compiled.error,
      paused: frozen !== null,
      newCount: frozen === null ? 0 : countSince(matching, frozen.last),
      total: items.length,
      older: older.state(),
    };
    return snapshot;
  }

  /** The standing picture anew, up to where it ended: the filter or the old end is another one. */
  function refreeze(): void {
    if (frozen === null) return;
    const { last } = frozen;
    const until = stream.get().items.filter((item) => item.seq <= last);
    frozen = { last, lines: joined(older.lines(), pick(until, compiled.walk())) };
  }

  function changed(): void {
    snapshot = null;
    listeners.notify();
  }

  return {
    get: read,
    subscribe(listener) {
      const remove = listeners.add(listener);
      const release = stream.subscribe(listener);
      return () => {
        remove();
        release();
      };
    },
    setFilter(next) {
      filter = next;
      compiled = compileFilter(next);
      older.reset(next);
      seen = null;
      refreeze();
      changed();
    },
    pause() {
      if (frozen !== null) return;
      const { lines } = read();
      frozen = { lines, last: seen?.last ?? Number.NEGATIVE_INFINITY };
      changed();
    },
    resume() {
      if (frozen === null) return;
      frozen = null;
      changed();
    },
    clear() {
      floor = (stream.get().items.at(-1)?.seq ?? 0) + 1;
      older.reset(filter);
      seen = null;
      if (frozen !== null) frozen = { ...frozen, lines: NO_ITEMS };
      changed();
    },
    searchOlder: () => older.more(),
    history: stream.history,
    async loadOlder() {
      // Lines that are in the buffer need not be found.
      older.reset(filter);
      const first = stream.get().items[0];
      if (first !== undefined && floor > first.seq) {
        floor = Number.NEGATIVE_INFINITY;
        seen = null;
      } else {
        await stream.loadOlder();
      }
      refreeze();
      changed();
    },
    retry: stream.retry,
  };
}

/** The same array as long as nothing was found. */
function joined(older: readonly LogItem[], newer: readonly LogItem[]): readonly LogItem[] {
  return older.length === 0 ? newer : [...older, ...newer];
}

/** Lines behind a sequence number; looks only at those. */
function countSince(items: readonly LogItem[], last: number): number {
  let count = 0;
  for (let index = items.length - 1; index >= 0; index -= 1) {
    const item = items[index];
    if (item === undefined || item.seq <= last) break;
    count += 1;
  }
  return count;
}
