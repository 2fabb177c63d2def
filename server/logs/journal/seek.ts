import type { SshTarget } from '../../ssh/types.ts';
import type { JournalSource } from './commands.ts';
import { cursorKey, journalOf, journalTag, readCursorKey, seekCursor } from './cursor.ts';
import type { JournalReader } from './reader.ts';
import type { JournalRecord } from './record.ts';

export interface ResumePoint {
  /** Key of the last entry that was seen. */
  key: string;
  /** Seqnum id of the journal it is in, if known; asked from the host otherwise. */
  journal: string | null;
}

/** How to find one entry again. */
export interface Place {
  key: string;
  /** For `JournalStart`. */
  cursor: string;
  /** Where only its moment could be named, in epoch microseconds: many entries may have the same; null: the entry itself. */
  moment: number | null;
}

/** The seqnum id of the journal that the unit's newest entry is in; null where there is none. */
async function newestJournal(
  reader: JournalReader,
  target: SshTarget,
  source: JournalSource,
  signal: AbortSignal,
): Promise<string | null> {
  let journal: string | null = null;
  for await (const records of reader.read(target, { source, start: { lines: 1 } }, signal)) {
    for (const record of records) journal = journalOf(record.cursor);
  }
  return journal;
}

/**
 * Where an entry stands. A seqnum only helps together with its journal, and a unit may have several: journald keeps what
 * a service of a user with a number from 1000 on prints in that user's journal, and what systemd says about it in the
 * system's; a host that lost its power begins a new one. Where the newest is not the entry's own, its moment is sought.
 *
 * @throws AppError as JournalReader.read
 */
export async function findPlace(
  reader: JournalReader,
  target: SshTarget,
  source: JournalSource,
  point: ResumePoint,
  signal: AbortSignal,
): Promise<Place> {
  const { key } = point;
  const parts = readCursorKey(key);
  if (!parts) throw new Error('unreadable cursor key');
  if (parts.kind === 'opaque') return { key, cursor: parts.cursor, moment: null };
  const isIn = (journal: string | null) => journal !== null && journalTag(journal) === parts.tag;
  const journal = isIn(point.journal) ? point.journal : await newestJournal(reader, target, source, signal);
  return { key, cursor: seekCursor(parts, journal), moment: isIn(journal) ? null : Number(parts.t) };
}

/**
 * Leaves out of a read that starts at a place (inclusive, see `journalctl`) everything up to the entry itself. journald
 * gives all it takes in one turn the same time, so that a moment may have hundreds of entries. Where the entry is gone,
 * its moment's others are left out too: what stands there is not known.
 */
export function createSkip(place: Place) {
  let found: boolean | null = null;
  return {
    /** Null until it is known. */
    get found() {
      return found;
    },
    push(records: JournalRecord[]): JournalRecord[] {
      if (found !== null) return records;
      const isIt = (record: JournalRecord) => cursorKey(record.cursor) === place.key;
      const at = records.findIndex((record) => record.realtimeUs !== place.moment || isIt(record));
      const record = records[at];
      if (!record) return [];
      found = isIt(record);
      return records.slice(found ? at + 1 : at);
    },
  };
}
