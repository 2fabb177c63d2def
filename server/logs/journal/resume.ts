import type { GAP_REASONS } from '../../../shared/events.ts';
import type { SshTarget } from '../../ssh/types.ts';
import type { JournalSource } from './commands.ts';
import { bootOf, cursorKey, readCursorKey } from './cursor.ts';
import type { JournalReader } from './reader.ts';
import type { JournalRecord } from './record.ts';
import { createSkip, findPlace, locate, type ResumePoint } from './seek.ts';

export type { ResumePoint } from './seek.ts';

export type GapReason = (typeof GAP_REASONS)[number];

export type ResumeEvent =
  /** The line asked for is not in the journal any more: what stood between it and the next line is not known. */
  { kind: 'gap'; reason: GapReason } | { kind: 'records'; records: JournalRecord[] };

/** Why the entry found first, if any, is not the one looked for. @param key of that one @param found cursor of the first */
export function gapReason(key: string, found: string | null): GapReason {
  const wanted = readCursorKey(key);
  const other = found === null ? null : readCursorKey(cursorKey(found) ?? '');
  if (wanted?.kind !== 'entry' || other?.kind !== 'entry') return 'journal_vacuumed';
  if (wanted.tag !== other.tag) return 'journal_replaced';
  return other.t < wanted.t ? 'clock_changed' : 'journal_vacuumed';
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
  const sought = { reader, target, source };
  const place = await findPlace(sought, point, signal);
  /** Null until it is known whether the entry is there. */
  let isThere: boolean | null = null;
  let { cursor } = place;
  if (point.cursor === undefined) {
    const full = await locate(sought, place, signal);
    isThere = full !== null;
    cursor = full ?? cursor;
  }
  if (signal.aborted) return;
  const query = { source, start: { cursor }, follow: options.follow === true };
  let skip = createSkip(place, isThere === true);
  let told = false;
  for await (const read of reader.read(target, query, signal)) {
    let records = skip.push(read);
    if (skip.found === false && isThere === null) {
      // A follow shows the present boot alone, so that what was written before it does not come.
      const mayCome = !query.follow || bootOf(records[0]?.cursor ?? '') === bootOf(cursor);
      isThere = mayCome && (await locate(sought, place, signal)) !== null;
      skip = createSkip(place, isThere);
      records = skip.push(read);
    }
    const [head] = records;
    if (skip.found === false && !told && head) {
      told = true;
      yield { kind: 'gap', reason: gapReason(point.key, head.cursor) };
    }
    if (records.length > 0) yield { kind: 'records', records };
  }
  if (skip.found === null && !signal.aborted) yield { kind: 'gap', reason: gapReason(point.key, null) };
}
