import { setImmediate } from 'node:timers/promises';
import type { CommandIo } from './io.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { formatEntry, joinOutput } from './journal-output.ts';
import { type JournalQuery, parseJournalctl } from './journalctl-options.ts';

/** Output is handed on in pieces of about this size, in bytes; a slow reader holds at most one of them back. */
const CHUNK_BYTES = 32_768;
/** Entries looked at before others get their turn: a few milliseconds. */
const SCAN_SLICE = 2_000;
/** Exit code of a command whose reader went away: 128 and SIGINT. */
const INTERRUPTED = 130;

/** Walks over the matching entries in one direction, one at a time. */
function createWalk(journal: Journal, query: JournalQuery, start: number) {
  const step = query.reverse ? -1 : 1;
  let next = start;
  let scanned = 0;
  return {
    /** The next match; null at the end. What was vacuumed meanwhile is passed over, as journalctl does. */
    async take(): Promise<JournalEntry | null> {
      for (;;) {
        if (step > 0) next = Math.max(next, journal.first());
        const entry = journal.get(next);
        if (!entry) return null;
        next += step;
        if (++scanned % SCAN_SLICE === 0) await setImmediate();
        if (query.filter(entry)) return entry;
      }
    },
    atEnd: () => journal.last() < next,
  };
}

/** Where the `lines` newest matches begin; `null` lines means the oldest entry. */
function tailStart(journal: Journal, query: JournalQuery): number {
  if (query.lines === null) return journal.first();
  let found = 0;
  let seq = journal.last() + 1;
  while (found < query.lines && seq > journal.first()) {
    seq--;
    const entry = journal.get(seq);
    if (entry && query.filter(entry)) found++;
  }
  return seq;
}

/** The first entry to look at, by the order of rules in systemd 252's journalctl.c. @returns null for a bad cursor */
function startOf(journal: Journal, query: JournalQuery): { seq: number; skip: boolean } | null {
  if (query.cursor) {
    const seq = journal.seekCursor(query.cursor.text, query.reverse);
    // journalctl skips one match after --after-cursor, whichever that is (systemd/systemd#30288).
    return seq === null ? null : { seq, skip: query.cursor.after };
  }
  if (query.since !== null && !query.reverse)
    return { seq: journal.seek('realtime', query.since), skip: false };
  if (query.until !== null && query.reverse) {
    return { seq: journal.seek('realtime', query.until + 1) - 1, skip: false };
  }
  if (query.reverse) return { seq: journal.last(), skip: false };
  return { seq: tailStart(journal, query), skip: false };
}

function isBeyond(query: JournalQuery, entry: JournalEntry): boolean {
  return query.reverse
    ? query.since !== null && entry.realtime < query.since
    : query.until !== null && entry.realtime > query.until;
}

/** Resolves at the next append, or when `signal` aborts. */
function nextAppend(journal: Journal, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      off();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const off = journal.onAppend(done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/**
 * `journalctl` of systemd 252 over the simulated journal. A follow reads the journal at the pace of its reader, so it
 * keeps nothing back in memory; it ends when the reader goes away.
 *
 * @returns the exit code
 */
export async function journalctl(argv: readonly string[], journal: Journal, io: CommandIo): Promise<number> {
  const query = parseJournalctl(argv, io.now());
  if (query === 'version') {
    await io.out('systemd 252 (252.39-1~deb12u2)\n');
    return 0;
  }
  if ('complaint' in query) {
    io.err(`${query.complaint}\n`);
    return 1;
  }
  const start = startOf(journal, query);
  if (start === null) {
    io.err('Failed to seek to cursor: Invalid argument\n');
    return 1;
  }
  const walk = createWalk(journal, query, start.seq);
  if (start.skip) await walk.take();

  let shown = 0;
  let limit = query.lines ?? Number.POSITIVE_INFINITY;
  for (;;) {
    let pending: (string | Buffer)[] = [];
    let bytes = 0;
    let beyond = false;
    while (shown < limit && !io.signal.aborted) {
      const entry = await walk.take();
      beyond = entry !== null && isBeyond(query, entry);
      if (entry === null || beyond) break;
      shown++;
      const text = formatEntry(journal, entry, query);
      pending.push(text);
      bytes += text.length;
      if (bytes >= CHUNK_BYTES) {
        await io.out(joinOutput(pending));
        pending = [];
        bytes = 0;
      }
    }
    if (pending.length > 0) await io.out(joinOutput(pending));
    if (!query.follow || beyond || io.signal.aborted) break;
    // A follow that has shown its lines waits for the journal to change before it shows more (systemd/systemd#4739).
    if (walk.atEnd() || shown >= limit) await nextAppend(journal, io.signal);
    limit = Number.POSITIVE_INFINITY;
  }
  if (shown === 0 && !query.follow && !query.quiet) await io.out('-- No entries --\n');
  return io.signal.aborted ? INTERRUPTED : 0;
}
