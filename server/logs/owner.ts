import { randomBytes } from 'node:crypto';
import type { LogEntry } from '../../shared/log-entry.ts';
import type { Lease, StreamBatch, StreamHead, StreamStore } from '../cluster/types.ts';
import { AppError } from '../core/errors.ts';
import { backoff, sleep } from '../core/sleep.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import { encodeBatch } from './entry.ts';
import type { JournalSource } from './journal/commands.ts';
import type { JournalReader } from './journal/reader.ts';
import type { JournalRecord } from './journal/record.ts';
import { resumeJournal } from './journal/resume.ts';
import { pointAt, type ResumePoint } from './journal/seek.ts';

/** Lines a new stream starts with, so that most viewers' first lines need no journal read of their own. */
const FIRST_LINES = 200;
/** Fewer of them where they are longer than this together, in characters. */
const SEED_MAX_CHARS = 524_288;
/** Pause between two appends while lines keep coming, in ms; a line after a pause goes out at once. */
const FLUSH_MS = 20;
/**
 * The same where a batch had this many characters or more (about 2500 lines/s): a write to each viewer's socket costs
 * more than the bytes in it, so that few large ones carry several times the lines of many small ones.
 */
const FLUSH_BUSY_MS = 80;
const FLUSH_BUSY_CHARS = 16_384;
/** A batch is closed at this size, in characters of line text, each line counted with LINE_CHARS more. */
const FLUSH_CHARS = 196_608;
/** What a line costs beside its text, so that empty lines have a bound too. */
const LINE_CHARS = 64;
/** The journal is not read on while this much waits for the store, in characters. */
const PENDING_MAX_CHARS = 524_288;
/** How often an idle owner renews the stream's life, in ms; well below STREAM_TTL_MS. */
const KEEP_ALIVE_MS = 10_000;

export interface OwnerDeps {
  stream: string;
  store: StreamStore;
  reader: JournalReader;
  logger: Logger;
  source: JournalSource;
  toEntries(records: readonly JournalRecord[]): LogEntry[];
  /** Told about lines read, for the metrics. */
  onLines?(count: number): void;
}

/**
 * Reads one unit's journal for the whole cluster under a lease and appends it to the stream, from where the stream ends.
 * Every append carries the lease's fence: an owner that was frozen and replaced cannot write one more line.
 *
 * Resolves when the lease is lost or `signal` aborts.
 * @throws AppError when the journal cannot be read any more; what was appended stays, and the next owner goes on behind it
 */
export async function ownStream(
  deps: OwnerDeps,
  lease: Lease,
  target: SshTarget,
  signal: AbortSignal,
): Promise<void> {
  const { store, stream, logger } = deps;
  const ending = AbortSignal.any([signal, lease.lost]);
  const reading = new AbortController();
  const readSignal = AbortSignal.any([ending, reading.signal]);

  let head: StreamHead = { epoch: '', seq: 0, cursor: null };
  /** What waits for the store, in batches of FLUSH_CHARS and at most one line more; all but the last are full. */
  const pending: { entries: LogEntry[]; cursor: string; chars: number }[] = [];
  let pendingChars = 0;
  /** An append was refused or failed: what stands behind it must not be stored without it. */
  let broken = false;
  let flushing: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let lastFlush = 0;
  let flushMs = FLUSH_MS;

  /** Asks the store until it answers, at least once: while it is away the journal is the buffer. */
  async function ask<T>(question: () => Promise<T>): Promise<T | 'fenced'> {
    for (let attempt = 0; attempt === 0 || !ending.aborted; attempt++) {
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'store_unavailable') throw error;
        if (attempt === 0) logger.warn('stream store is away, the journal waits', { stream });
        await sleep(backoff(attempt, 50, 1000), ending);
      }
    }
    return 'fenced';
  }

  async function begin(): Promise<boolean> {
    const begun = await ask(() => store.begin(stream, lease, randomBytes(4).toString('hex'), head.seq));
    if (begun === 'fenced') return false;
    head = begun;
    return true;
  }

  async function append(entries: LogEntry[], cursor: string): Promise<void> {
    const body = encodeBatch(entries);
    broken = true;
    for (;;) {
      const batch: StreamBatch = {
        epoch: head.epoch,
        firstSeq: head.seq + 1,
        count: entries.length,
        body,
        cursor,
      };
      const result = await ask(() => store.append(stream, lease, batch));
      if (result === 'ok') {
        head = { epoch: batch.epoch, seq: head.seq + batch.count, cursor };
        deps.onLines?.(batch.count);
        broken = false;
        return;
      }
      if (result === 'fenced' || !(await begin())) return reading.abort();
      logger.warn('stream began anew: the store had lost its end', { stream });
    }
  }

  /** Appends the oldest batch that waits. */
  async function appendNext(): Promise<void> {
    const next = pending.shift();
    if (!next) return;
    pendingChars -= next.chars;
    lastFlush = performance.now();
    flushMs = next.chars < FLUSH_BUSY_CHARS ? FLUSH_MS : FLUSH_BUSY_MS;
    await append(next.entries, next.cursor);
  }

  /** Appends until what is left is not worth a batch yet. */
  async function flush(): Promise<void> {
    try {
      do await appendNext();
      while (pendingChars >= FLUSH_CHARS && !readSignal.aborted);
    } catch (error) {
      logger.error('append failed', { stream, error: String(error) });
      reading.abort();
    }
  }

  function schedule(): void {
    if (flushing || readSignal.aborted || pending.length === 0) return;
    const since = performance.now() - lastFlush;
    if (since >= flushMs || pendingChars >= FLUSH_CHARS) {
      clearTimeout(timer);
      timer = undefined;
      flushing = flush().finally(() => {
        flushing = null;
        schedule();
      });
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        schedule();
      }, flushMs - since);
    }
  }

  async function take(records: JournalRecord[]): Promise<void> {
    for (let from = 0; from < records.length && !readSignal.aborted; ) {
      let batch = pending.at(-1);
      if (!batch || batch.chars >= FLUSH_CHARS) {
        batch = { entries: [], cursor: '', chars: 0 };
        pending.push(batch);
      }
      let to = from;
      let chars = 0;
      while (to < records.length && batch.chars + chars < FLUSH_CHARS)
        chars += LINE_CHARS + (records[to++]?.message.length ?? 0);
      const part = records.slice(from, to);
      batch.entries.push(...deps.toEntries(part));
      batch.cursor = part.at(-1)?.cursor ?? batch.cursor;
      batch.chars += chars;
      pendingChars += chars;
      from = to;
      schedule();
      while (flushing && pendingChars > PENDING_MAX_CHARS) await flushing;
    }
  }

  /**
   * Gives a new stream the journal's newest lines in one append: a viewer that comes meanwhile sees none of them or all,
   * and takes none for a new one. @returns the newest one's cursor, null where the journal has nothing of the unit
   */
  async function seed(): Promise<string | null> {
    const entries: LogEntry[] = [];
    let cursor: string | null = null;
    const query = { source: deps.source, start: { lines: FIRST_LINES } };
    for await (const records of deps.reader.read(target, query, readSignal)) {
      entries.push(...deps.toEntries(records));
      cursor = records.at(-1)?.cursor ?? cursor;
      let chars = entries.reduce((sum, entry) => sum + LINE_CHARS + entry.line.length, 0);
      while (chars > SEED_MAX_CHARS) chars -= LINE_CHARS + (entries.shift()?.line.length ?? 0);
    }
    if (cursor !== null && entries.length > 0 && !readSignal.aborted) await append(entries, cursor);
    return cursor;
  }

  const claimed = await ask(() => store.claim(stream, lease));
  if (claimed === 'fenced') return;
  if (claimed) head = claimed;
  else if (!(await begin())) return;
  const keepAlive = setInterval(() => {
    store.claim(stream, lease).then(
      (answer) => answer === 'fenced' && reading.abort(),
      () => {},
    );
  }, KEEP_ALIVE_MS);

  try {
    const cursor = claimed?.cursor ?? (await seed());
    const first = cursor === null ? null : pointAt(cursor);
    if (first === null) {
      // The journal holds nothing of the unit yet: everything it will hold is new.
      const query = { source: deps.source, start: {}, follow: true };
      for await (const records of deps.reader.read(target, query, readSignal)) await take(records);
      return;
    }
    // A follow shows the present boot alone: what the unit said before the host went down has to be read first.
    let point: ResumePoint = first;
    for (const follow of [false, true]) {
      const request = { source: deps.source, point, follow };
      for await (const event of resumeJournal(deps.reader, target, request, readSignal)) {
        // The tails of all instances notice the new epoch and announce what their viewers missed.
        if (event.kind === 'gap' && !(await begin())) return;
        if (event.kind !== 'records') continue;
        point = pointAt(event.records.at(-1)?.cursor ?? '') ?? point;
        await take(event.records);
      }
    }
  } finally {
    clearInterval(keepAlive);
    // What was read is appended before the lease goes, so that a planned hand-over repeats no work.
    while (flushing && !lease.lost.aborted) await flushing;
    clearTimeout(timer);
    while (pending.length > 0 && !broken && !lease.lost.aborted) await appendNext();
    reading.abort();
  }
}
