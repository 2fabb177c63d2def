/** Fields of an entry that many entries share: those of the process that wrote it. */
export type Fields = Readonly<Record<string, string>>;

/** One entry of the simulated journal. Times in microseconds: `realtime` since the epoch, `monotonic` since boot. */
export interface JournalEntry {
  readonly seq: number;
  readonly realtime: number;
  readonly monotonic: number;
  /** Text, or bytes where the text is not valid UTF-8. */
  readonly message: string | Buffer;
  readonly origin: Fields;
  readonly extra: Fields | undefined;
}

export interface Journal {
  readonly machineId: string;
  readonly bootId: string;
  /** Adds an entry and wakes followers. `at` in epoch ms; an earlier time than the last entry's becomes just after it. */
  append(entry: { at: number; message: string | Buffer; origin: Fields; extra?: Fields }): JournalEntry;
  /** The entry with that sequence number, if it is still there. */
  get(seq: number): JournalEntry | undefined;
  /** Sequence number of the oldest entry; `last() + 1` in an empty journal. */
  first(): number;
  /** Sequence number of the newest entry; `first() - 1` in an empty journal. */
  last(): number;
  /** The first entry at or after a time in microseconds, as a sequence number; `last() + 1` where all are older. */
  seek(key: 'realtime' | 'monotonic', us: number): number;
  /** The cursor of an entry, in the shape of sd_journal_get_cursor(3). */
  cursorOf(entry: JournalEntry): string;
  /**
   * Where sd_journal_seek_cursor(3) lands: the sequence number of the entry itself; where it is gone, of the one next to
   * its place in the direction of reading. Another journal's cursor is sought by its time since boot or by its time, and
   * without these means the whole journal.
   * @returns null for a malformed cursor
   */
  seekCursor(cursor: string, reverse?: boolean): number | null;
  /** Calls back after each append. @returns a function that ends it */
  onAppend(listener: () => void): () => void;
}

/** Entries kept; at the demo's pace about five hours, some 10 MB. The oldest go first, as journald's vacuum does. */
export const JOURNAL_CAPACITY = 20_000;

/** An entry as all its fields, without the addresses (`__...`). */
export function fieldsOf(entry: JournalEntry): Record<string, string | Buffer> {
  return { ...entry.origin, ...entry.extra, MESSAGE: entry.message };
}

/** One field of an entry as text; undefined where it has none. */
export function fieldOf(entry: JournalEntry, name: string): string | undefined {
  if (name === 'MESSAGE') return entry.message.toString();
  return entry.extra?.[name] ?? entry.origin[name];
}

interface CursorPlace {
  seqnumId?: string;
  seq?: number;
  bootId?: string;
  monotonic?: number;
  realtime?: number;
}

/** Reads a cursor by the rules of systemd's `sd_journal_seek_cursor` (src/libsystemd/sd-journal/sd-journal.c). */
function parseCursor(cursor: string): CursorPlace | null {
  const place: CursorPlace = {};
  for (const item of cursor.split(';')) {
    const value = item.slice(2);
    if (item.charAt(1) !== '=') return null;
    const key = item.charAt(0);
    if (key === 's' || key === 'b') {
      if (!/^[0-9a-f]{32}$/i.test(value)) return null;
      if (key === 's') place.seqnumId = value.toLowerCase();
      else place.bootId = value.toLowerCase();
    } else if ('imtx'.includes(key)) {
      if (!/^[0-9a-f]{1,16}$/i.test(value)) return null;
      const number = Number.parseInt(value, 16);
      if (key === 'i') place.seq = number;
      else if (key === 'm') place.monotonic = number;
      else if (key === 't') place.realtime = number;
    }
  }
  const known =
    (place.seq !== undefined && place.seqnumId !== undefined) ||
    (place.monotonic !== undefined && place.bootId !== undefined) ||
    place.realtime !== undefined;
  return known ? place : null;
}

/** The `x` of a cursor: a fixed mix of the entry's place, standing in for the hash of its data. */
function entryHash(seq: number, realtime: number): string {
  const high = Math.imul(seq ^ 0x9e3779b9, 0x85ebca6b) ^ (realtime % 4_294_967_291);
  const low = Math.imul(high ^ (high >>> 13), 0xc2b2ae35) ^ seq;
  return (high >>> 0).toString(16) + (low >>> 0).toString(16).padStart(8, '0');
}

/**
 * A journal in memory: a ring of the newest entries, in order, with the addresses journald gives them.
 *
 * @param ids 32 hexadecimal digits each, as journald makes them; `bootedAt` in epoch ms
 */
export function createJournal(ids: {
  machineId: string;
  bootId: string;
  seqnumId: string;
  bootedAt: number;
  firstSeq: number;
  capacity?: number;
}): Journal {
  const capacity = ids.capacity ?? JOURNAL_CAPACITY;
  const ring: JournalEntry[] = [];
  const listeners = new Set<() => void>();
  let first = ids.firstSeq;
  let last = ids.firstSeq - 1;
  let newest = 0;

  function get(seq: number): JournalEntry | undefined {
    return seq < first || seq > last ? undefined : ring[seq % capacity];
  }

  function seek(key: 'realtime' | 'monotonic', us: number): number {
    let low = first;
    let high = last + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((get(middle)?.[key] ?? 0) < us) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    machineId: ids.machineId,
    bootId: ids.bootId,
    append({ at, message, origin, extra }) {
      // Simulated times are whole milliseconds; some microseconds more look like a clock.
      newest = Math.max(newest + 1, Math.floor(at) * 1000 + ((last * 7919) % 997));
      const monotonic = newest - ids.bootedAt * 1000;
      const entry = { seq: ++last, realtime: newest, monotonic, message, origin, extra };
      ring[entry.seq % capacity] = entry;
      if (last - first >= capacity) first++;
      for (const listener of listeners) listener();
      return entry;
    },
    get,
    first: () => first,
    last: () => last,
    seek,
    cursorOf(entry) {
      const place = `i=${entry.seq.toString(16)};b=${ids.bootId};m=${entry.monotonic.toString(16)}`;
      const hash = entryHash(entry.seq, entry.realtime);
      return `s=${ids.seqnumId};${place};t=${entry.realtime.toString(16)};x=${hash}`;
    },
    seekCursor(cursor, reverse = false) {
      const place = parseCursor(cursor);
      if (place === null) return null;
      const near = (key: 'realtime' | 'monotonic', us: number) => {
        const seq = seek(key, us);
        return reverse && get(seq)?.[key] !== us ? seq - 1 : seq;
      };
      if (place.seq !== undefined && place.seqnumId === ids.seqnumId) {
        return reverse ? Math.min(place.seq, last) : Math.max(place.seq, first);
      }
      if (place.monotonic !== undefined && place.bootId === ids.bootId)
        return near('monotonic', place.monotonic);
      if (place.realtime !== undefined) return near('realtime', place.realtime);
      return reverse ? last : first;
    },
    onAppend(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
