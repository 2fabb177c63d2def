import type { GAP_REASONS } from '../../../shared/events.ts';
import type { SshTarget } from '../../ssh/types.ts';
import type { JournalSource } from './commands.ts';
import { cursorKey, journalOf, journalTag, readCursorKey, seekCursor } from './cursor.ts';
import type { JournalReader } from './reader.ts';
import type { JournalRecord } from './record.ts';

export type GapReason = (typeof GAP_REASONS)[number];

export type ResumeEvent =
  /** The line asked for is not in the journal any more: what stood between it and the next line is not known. */
  { kind: 'gap'; reason: GapReason } | { kind: 'records'; records: JournalRecord[] };

export interface ResumePoint {
  /** Key of the last entry that was seen. */
  key: string;
  /** Seqnum id of the journal it is in, if known; asked from the host otherwise. */
  journal: string | null;
}

/** Why the entry found first is not the one looked for. */
function gapReason(key: string, found: string | null): GapReason {
  const wanted = readCursorKey(key);
  const other = found === null ? null : readCursorKey(cursorKey(found) ?? '');
  if (wanted?.kind !== 'entry' || other?.kind !== 'entry') return 'journal_vacuumed';
  if (wanted.tag !== other.tag) return 'journal_replaced';
  return other.t < wanted.t ? 'clock_changed' : 'journal_vacuumed';
}

/** The seqnum id of the journal that the unit's newest entry is in; null where there is none. */
export async function newestJournal(
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
 * Everything in a journal behind one entry: seeks the entry itself (inclusive, see `journalctl`) and drops it, so that a
 * missing entry is noticed: then the first event is a gap. A follow can tell that only when the next line comes.
 *
 * @throws AppError as JournalReader.read
 */
export async function* resumeJournal(
  reader: JournalReader,
  target: SshTarget,
  options: { source: JournalSource; point: ResumePoint; follow?: boolean },
  signal: AbortSignal,
): AsyncGenerator<ResumeEvent> {
  const { source, point } = options;
  const parts = readCursorKey(point.key);
  if (!parts) throw new Error('unreadable cursor key');
  const known =
    parts.kind === 'opaque' || (point.journal !== null && journalTag(point.journal) === parts.tag);
  const journal = known ? point.journal : await newestJournal(reader, target, source, signal);
  if (signal.aborted) return;
  const query = { source, start: { cursor: seekCursor(parts, journal) }, follow: options.follow === true };

  let first = true;
  for await (const records of reader.read(target, query, signal)) {
    const [head] = records;
    if (first && head) {
      first = false;
      if (cursorKey(head.cursor) === point.key) records.shift();
      else yield { kind: 'gap', reason: gapReason(point.key, head.cursor) };
    }
    if (records.length > 0) yield { kind: 'records', records };
  }
  if (first && !signal.aborted) yield { kind: 'gap', reason: gapReason(point.key, null) };
}
