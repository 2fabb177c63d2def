import { createHash } from 'node:crypto';
import { toEntry } from '../../server/logs/entry.ts';
import type { JournalQuery } from '../../server/logs/journal/commands.ts';
import type { JournalReader } from '../../server/logs/journal/reader.ts';
import type { JournalRecord } from '../../server/logs/journal/record.ts';
import { createPositionCodec } from '../../server/logs/position.ts';
import type { SshTarget } from '../../server/ssh/types.ts';
import type { LogEntry } from '../../shared/log-entry.ts';

/** When line 1 of a fake journal was written, in epoch microseconds; each further line is a millisecond younger. */
export const FIRST_US = 1_767_225_600_000_000;

export const FAKE_TARGET: SshTarget = {
  host: 'node.example',
  port: 22,
  username: 'ubuntu',
  credential: { method: 'password', password: 'pw' },
};

const hex = (n: number | bigint) => n.toString(16);

/** A journal cursor of journalctl's shape: line `n` of the journal named `journal`. */
export function fakeCursor(n: number, journal = 'first'): string {
  const id = createHash('md5').update(journal).digest('hex');
  const hash = createHash('sha256').update(`${journal}/${n}`).digest('hex').slice(0, 16);
  return `s=${id};i=${hex(n)};b=${'b'.repeat(32)};m=${hex(n * 1000)};t=${hex(FIRST_US + n * 1000)};x=${hash.replace(/^0/, '1')}`;
}

/** Line `n`: its message is `line n` unless told otherwise. */
export function fakeRecord(n: number, options: { journal?: string; message?: string } = {}): JournalRecord {
  return {
    cursor: fakeCursor(n, options.journal),
    realtimeUs: FIRST_US + n * 1000,
    message: options.message ?? `line ${n}`,
    extra: {},
  };
}

/** The numbers of lines `from`..`to`, both included. */
export function span(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

export const fakeCodec = createPositionCodec(['secret of the tests'], 'node.example/22/ubuntu/execution');

export function fakeEntries(records: readonly JournalRecord[]): LogEntry[] {
  return records.map((record) => toEntry(record, fakeCodec));
}

/** The number in the message of each entry. */
export function lineNumbers(entries: readonly LogEntry[]): number[] {
  return entries.map(({ line }) => Number(/^line (\d+)/.exec(line)?.[1]));
}

export interface FakeJournal {
  readonly reader: JournalReader;
  /** What was asked, oldest first. */
  readonly queries: JournalQuery[];
  /** Follows that run now. */
  follows(): number;
  /** Appends records and wakes the follows. */
  write(records: readonly JournalRecord[]): void;
  /** Drops all records up to and with line `n`. */
  vacuum(n: number): void;
  /** Number of the newest line ever written. */
  newest(): number;
  /** The next reads fail with this, in turn. */
  failNext(...errors: Error[]): void;
}

const seqnumOf = (cursor: string) => Number.parseInt(/;i=([0-9a-f]+)/.exec(cursor)?.[1] ?? '0', 16);

/** Where a seek ends, as in sd_journal_seek_cursor(3): by journal and seqnum, else by time; the nearest in the direction. */
function seek(records: readonly JournalRecord[], cursor: string, reverse = false): number {
  const journal = /^s=([0-9a-f]+)/.exec(cursor)?.[1];
  const number = seqnumOf(cursor);
  const time = Number.parseInt(/t=([0-9a-f]+)/.exec(cursor)?.[1] ?? '0', 16);
  const index = records.findIndex((record) =>
    journal !== undefined && record.cursor.startsWith(`s=${journal};`)
      ? seqnumOf(record.cursor) >= number
      : record.realtimeUs >= time,
  );
  if (index === -1) return records.length;
  // Many lines may have the time: backwards the last of them is met first.
  const sameTime = (record: JournalRecord | undefined) => record?.realtimeUs === time;
  let last = index;
  while (reverse && journal === undefined && sameTime(records[last + 1])) last++;
  return last;
}

/** A journal in memory, read as journalctl 252 would: `--until` counts only forwards, a follow waits for more. */
export function createFakeJournal(options: { chunk?: number; slowEndMs?: number } = {}): FakeJournal {
  const chunk = options.chunk ?? 100;
  /** Every record ever written; the first `dropped` are gone for reads that start now, as a running one keeps its files. */
  const written: JournalRecord[] = [];
  let dropped = 0;
  let follows = 0;
  const errors: Error[] = [];
  const queries: JournalQuery[] = [];
  const waiting = new Set<() => void>();
  const turn = () =>
    new Promise<void>((resolve) => {
      setImmediate(resolve);
    });

  async function* read(query: JournalQuery, signal: AbortSignal): AsyncGenerator<JournalRecord[]> {
    queries.push(query);
    await turn();
    const failure = errors.shift();
    if (failure) throw failure;
    const { start } = query;
    const before = dropped;
    const records = written.slice(before);
    let from = 0;
    if ('cursor' in start) from = seek(records, start.cursor, query.reverse);
    else if ('lines' in start) from = Math.max(0, records.length - start.lines);
    else if (start.since !== undefined) {
      const since = start.since;
      from = records.findIndex((record) => record.realtimeUs >= since);
      if (from === -1) from = records.length;
    }
    if (query.reverse) {
      let found = 'cursor' in start ? records.slice(0, from + 1) : records.slice();
      const { untilUs } = query;
      if (!('cursor' in start) && untilUs !== undefined)
        found = found.filter((record) => record.realtimeUs <= untilUs);
      found.reverse();
      if ('lines' in start && start.lines !== undefined) found = found.slice(0, start.lines);
      for (let next = 0; next < found.length && !signal.aborted; next += chunk) {
        yield found.slice(next, next + chunk);
        await turn();
      }
      return;
    }
    let at = before + from;
    while (!signal.aborted) {
      const { untilUs } = query;
      const part = written
        .slice(at, at + chunk)
        .filter((record) => untilUs === undefined || record.realtimeUs <= untilUs);
      at += part.length;
      if (part.length > 0) {
        yield part;
        await turn();
      } else if (query.follow) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          waiting.add(wake);
          signal.addEventListener('abort', wake, { once: true });
        });
      } else return;
    }
    // Ending a remote process takes its time.
    if (options.slowEndMs) await new Promise((resolve) => setTimeout(resolve, options.slowEndMs));
  }

  return {
    reader: {
      async *read(_target, query, signal) {
        if (query.follow) follows++;
        try {
          yield* read(query, signal);
        } finally {
          if (query.follow) follows--;
        }
      },
    },
    queries,
    follows: () => follows,
    write(more) {
      written.push(...more);
      for (const wake of [...waiting]) wake();
    },
    vacuum(n) {
      const kept = written.findIndex((record, index) => index >= dropped && seqnumOf(record.cursor) > n);
      dropped = kept === -1 ? written.length : kept;
    },
    newest: () => written.length,
    failNext: (...more) => void errors.push(...more),
  };
}

/** Writes the next `count` lines of a journal that counts from 1. */
export function writeLines(journal: FakeJournal, count: number): void {
  const from = journal.newest() + 1;
  journal.write(span(from, from + count - 1).map((n) => fakeRecord(n)));
}
