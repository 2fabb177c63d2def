import type { LogGap } from '../shared/events.ts';
import type { PackedEntry } from '../shared/log-batch.ts';
import { LEVELS, type Level, type LogEntry } from '../shared/log-entry.ts';
import { completeEntry, type GapReason, type LogItem, type SharedFields } from './log-item.ts';

/** Lines of each level in the buffer; `unknown` are those without one. */
export type LevelCounts = Readonly<Record<Level | 'unknown', number>>;

export interface LogBuffer {
  append(entries: readonly PackedEntry[], batch?: SharedFields): void;
  appendGap(gap: Pick<LogGap, 'from' | 'to'> & { reason: GapReason }): void;
  /** Makes room for older lines: four times the capacity from now on, so that nothing falls out while they are fetched. */
  grow(): void;
  /** Puts older lines in front. */
  prepend(entries: readonly LogEntry[]): void;
  /** Empties it; sequence numbers go on, so that nothing is taken for something older. */
  clear(): void;
  /** The items, oldest first: the same array until something changes. */
  items(): readonly LogItem[];
  counts(): LevelCounts;
  /** Lines dropped at the old end since the last clear. */
  readonly dropped: number;
  /** Whether `prepend` has room. */
  readonly hasRoom: boolean;
  /** One higher with each change. */
  readonly version: number;
}

export interface LogBufferOptions {
  /** Items kept. */
  capacity?: number;
  /** Characters kept, lines and messages together: the bound that holds when lines are 48 kB long. */
  maxChars?: number;
  now?: () => number;
}

/** About 40 minutes of a client that logs 8 lines a second. */
export const CAPACITY_DEFAULT = 20_000;
/** 64 MB at two bytes a character. */
const MAX_CHARS_DEFAULT = 32_000_000;
/** How far loading older lines may grow a buffer beyond its capacity. */
const GROWTH = 4;

/** A ring of the newest log items, bounded in items and in characters; what falls out at the old end is counted. */
export function createLogBuffer(options: LogBufferOptions = {}): LogBuffer {
  const { capacity = CAPACITY_DEFAULT, maxChars = MAX_CHARS_DEFAULT, now = Date.now } = options;
  let items: LogItem[] = [];
  /** Index of the oldest item in `items`; the slots before it are freed in one go now and then. */
  let head = 0;
  let chars = 0;
  let limit = capacity;
  let dropped = 0;
  let nextSeq = 1;
  let version = 0;
  let counts = noCounts();
  let snapshot: readonly LogItem[] | null = null;
  let countsSnapshot: LevelCounts | null = null;

  function count(item: LogItem, by: 1 | -1): void {
    chars += by * sizeOf(item);
    if (item.kind === 'line') counts[item.groupLevel ?? 'unknown'] += by;
  }

  function trim(): void {
    while (items.length - head > limit || (chars > maxChars && items.length - head > 1)) {
      const oldest = items[head];
      if (oldest === undefined) break;
      count(oldest, -1);
      if (oldest.kind === 'line') dropped += 1;
      head += 1;
    }
    if (head > 4096 && head * 2 > items.length) {
      items = items.slice(head);
      head = 0;
    }
  }

  function changed(): void {
    version += 1;
    snapshot = null;
    countsSnapshot = null;
  }

  return {
    append(entries, batch) {
      if (entries.length === 0) return;
      for (const entry of entries) {
        const item = completeEntry(entry, nextSeq, items.at(-1), batch);
        nextSeq += 1;
        items.push(item);
        count(item, 1);
      }
      trim();
      changed();
    },
    appendGap(gap) {
      const { from, to, reason } = gap;
      items.push({ kind: 'gap', seq: nextSeq, from, to, reason, noticedAt: now() });
      nextSeq += 1;
      trim();
      changed();
    },
    grow() {
      limit = capacity * GROWTH;
    },
    prepend(entries) {
      if (entries.length === 0) return;
      const firstSeq = items[head]?.seq ?? nextSeq;
      const older: LogItem[] = [];
      for (const [index, entry] of entries.entries()) {
        const item = completeEntry(entry, firstSeq - entries.length + index, older.at(-1));
        older.push(item);
        count(item, 1);
      }
      items = [...older, ...items.slice(head)];
      head = 0;
      trim();
      changed();
    },
    clear() {
      items = [];
      head = 0;
      chars = 0;
      limit = capacity;
      dropped = 0;
      // Leaves numbers free for older lines that may be put in front, so that no number means two lines.
      nextSeq += capacity * GROWTH;
      counts = noCounts();
      changed();
    },
    items() {
      snapshot ??= items.slice(head);
      return snapshot;
    },
    counts() {
      countsSnapshot ??= { ...counts };
      return countsSnapshot;
    },
    get dropped() {
      return dropped;
    },
    get hasRoom() {
      return items.length - head < capacity * GROWTH && chars < maxChars;
    },
    get version() {
      return version;
    },
  };
}

function noCounts(): Record<Level | 'unknown', number> {
  const counts: Partial<Record<Level | 'unknown', number>> = { unknown: 0 };
  for (const level of LEVELS) counts[level] = 0;
  return counts as Record<Level | 'unknown', number>;
}

function sizeOf(item: LogItem): number {
  if (item.kind === 'gap') return 0;
  // A message equal to its line is the same string in memory.
  return item.line.length + (item.message === item.line ? 0 : item.message.length);
}
