import { createChunk, type Tail, type TailItem, type TailWatcher } from '../../server/logs/tail.ts';
import { fakeCursor, fakeEntries, fakeRecord, span } from './fake-journal.ts';

/** A tail that holds what a test puts into it. */
export interface FakeTail extends Tail {
  /** Lines `from`..`to` as one batch. */
  push(from: number, to: number): void;
  gap(): void;
  /** Forgets all but the newest items. */
  keep(items: number): void;
  readonly watchers: number;
}

export function createFakeTail(): FakeTail {
  let items: TailItem[] = [];
  let end = 0;
  let last: string | null = null;
  const watchers = new Set<TailWatcher>();
  const add = (item: TailItem) => {
    items.push(item);
    end += item.count;
    for (const watcher of [...watchers]) watcher.tailChanged();
  };
  const tail: FakeTail = {
    ready: Promise.resolve(),
    begin: () => items[0]?.offset ?? end,
    end: () => end,
    at: (offset) => items.find((item) => offset >= item.offset && offset < item.offset + item.count),
    find(key) {
      for (const item of items) {
        if (item.kind !== 'lines') continue;
        const index = item.chunk.entries().findIndex((entry) => entry.id.slice(8) === key);
        if (index !== -1) return item.offset + index + 1;
      }
      return undefined;
    },
    journal: () => (last === null ? null : (last.slice(2, 34) ?? null)),
    watch(watcher) {
      watchers.add(watcher);
    },
    unwatch(watcher) {
      watchers.delete(watcher);
    },
    stop() {},
    push(from, to) {
      last = fakeCursor(to);
      const chunk = createChunk(fakeEntries(span(from, to).map((n) => fakeRecord(n))));
      add({ kind: 'lines', offset: end, count: to - from + 1, cursor: last, chunk });
    },
    gap: () => add({ kind: 'gap', offset: end, count: 1, cursor: last, reason: 'journal_vacuumed' }),
    keep(count) {
      items = items.slice(-count);
    },
    get watchers() {
      return watchers.size;
    },
  };
  return tail;
}
