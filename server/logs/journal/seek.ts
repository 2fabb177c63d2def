import type { SshTarget } from '../../ssh/types.ts';
import type { JournalQuery, JournalSource } from './commands.ts';
import { cursorKey, journalOf, journalTag, readCursorKey, seekCursor } from './cursor.ts';
import type { JournalReader } from './reader.ts';
import type { JournalRecord } from './record.ts';

export interface ResumePoint {
  /** Key of the last entry that was seen. */
  key: string;
  /** Seqnum id of the journal it is in, if known; asked from the host otherwise. */
  journal: string | null;
  /** Its cursor in full, where it is known. */
  cursor?: string;
}

/** The point behind an entry whose cursor is known in full; null for a text that can be no cursor. */
export function pointAt(cursor: string): ResumePoint | null {
  const key = cursorKey(cursor);
  const journal = journalOf(cursor);
  return key === null ? null : { key, journal, ...(journal === null ? {} : { cursor }) };
}

/** How to find one entry again. */
export interface Place {
  key: string;
  /** For `JournalStart`. */
  cursor: string;
  /** Its time, in epoch microseconds: many entries may have the same. Null where it is not known. */
  moment: number | null;
}

/** Where to look for a unit's entries. */
interface Sought {
  reader: JournalReader;
  target: SshTarget;
  source: JournalSource;
}

/** Lines looked at for an entry of a journal or an entry's own place; the others in front of it are of other journals. */
const LOOK_LINES = 256;

/** The first record that a query finds in the journal with this tag; null where there is none. */
async function firstOf(
  { reader, target }: Sought,
  query: JournalQuery,
  tag: number,
  signal: AbortSignal,
): Promise<JournalRecord | null> {
  for await (const records of reader.read(target, query, signal)) {
    for (const record of records) {
      const journal = journalOf(record.cursor);
      if (journal !== null && journalTag(journal) === tag) return record;
    }
  }
  return null;
}

/** The seqnum id of the unit's journal with this tag: mostly that of its newest line, else the system's, or a user's. */
async function findJournal(sought: Sought, tag: number, signal: AbortSignal): Promise<string | null> {
  const { source } = sought;
  const system: JournalSource = { matches: ['_PID=1'], fields: [] };
  for (const query of [
    { source, start: { lines: 1 } },
    { source: system, start: { lines: 1 } },
    { source, start: { lines: LOOK_LINES }, reverse: true },
  ]) {
    const record = await firstOf(sought, query, tag, signal);
    if (record !== null) return journalOf(record.cursor);
    if (signal.aborted) return null;
  }
  return null;
}

/**
 * Where an entry stands. Of a key, a seqnum only helps together with its journal, and a unit may have several: journald
 * keeps what a service of a user with a number from 1000 on prints in that user's journal, and what systemd says about it
 * in the system's. Where the entry's own is not found, its moment is sought.
 *
 * @throws AppError as JournalReader.read
 */
export async function findPlace(sought: Sought, point: ResumePoint, signal: AbortSignal): Promise<Place> {
  const { key } = point;
  const parts = readCursorKey(key);
  if (!parts) throw new Error('unreadable cursor key');
  if (parts.kind === 'opaque') return { key, cursor: parts.cursor, moment: null };
  const moment = Number(parts.t);
  if (point.cursor !== undefined) return { key, cursor: point.cursor, moment };
  const isIn = point.journal !== null && journalTag(point.journal) === parts.tag;
  const journal = isIn ? point.journal : await findJournal(sought, parts.tag, signal);
  return { key, cursor: seekCursor(parts, journal), moment };
}

/**
 * The full cursor of the entry at a place; null where it is gone. It names the entry's place in all journals of the host,
 * by boot and time since boot. journalctl seeks a key in the entry's own journal by its seqnum but in the others by its
 * time: where the host's clock was set back they come with lines of long ago, or without those that were written since.
 * Backwards the entry is the first of its journal, whatever stands in the others.
 *
 * @throws AppError as JournalReader.read
 */
export async function locate(sought: Sought, place: Place, signal: AbortSignal): Promise<string | null> {
  const parts = readCursorKey(place.key);
  if (parts?.kind !== 'entry') return null;
  const start = { cursor: place.cursor, lines: LOOK_LINES };
  const query = { source: sought.source, start, reverse: true };
  for await (const records of sought.reader.read(sought.target, query, signal)) {
    for (const record of records) {
      if (cursorKey(record.cursor) === place.key) return record.cursor;
      const journal = journalOf(record.cursor);
      const isPast = journal !== null && journalTag(journal) === parts.tag;
      // journald may have given lines behind it the same time.
      if (isPast && record.realtimeUs !== place.moment) return null;
    }
  }
  return null;
}

/**
 * Leaves out of a read that starts at a place (inclusive, see `journalctl`) everything up to the entry itself. journald
 * gives all it takes in one turn the same time, so that a moment may have hundreds of entries. Where the entry is gone,
 * its moment's others are left out too: what stands there is not known.
 *
 * @param isThere the entry is known to be there: whatever comes before it is left out
 */
export function createSkip(place: Place, isThere = false) {
  let found: boolean | null = null;
  return {
    /** Null until it is known. */
    get found() {
      return found;
    },
    push(records: JournalRecord[]): JournalRecord[] {
      if (found !== null) return records;
      const isIt = (record: JournalRecord) => cursorKey(record.cursor) === place.key;
      const at = records.findIndex(
        (record) => isIt(record) || (!isThere && record.realtimeUs !== place.moment),
      );
      const record = records[at];
      if (!record) return [];
      found = isIt(record);
      return records.slice(found ? at + 1 : at);
    },
  };
}
