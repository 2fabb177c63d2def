import { HISTORY_DEFAULT } from '../../shared/events.ts';
import { isoMicroseconds } from '../../shared/log-batch.ts';
import type { LogEntry } from '../../shared/log-entry.ts';
import type { SshTarget } from '../ssh/types.ts';
import type { LogFilter } from './filter.ts';
import type { JournalQuery, JournalSource } from './journal/commands.ts';
import { cursorKey } from './journal/cursor.ts';
import type { JournalReader } from './journal/reader.ts';
import type { JournalRecord } from './journal/record.ts';
import { type GapReason, gapReason } from './journal/resume.ts';
import { createSkip, findPlace, locate, type Place, type ResumePoint } from './journal/seek.ts';

export interface HistoryDeps {
  reader: JournalReader;
  target: SshTarget;
  source: JournalSource;
  toEntries(records: readonly JournalRecord[]): LogEntry[];
}

export interface HistoryRequest {
  /** Keys of entries, see `PositionCodec.decode`. */
  before?: string | undefined;
  after?: string | undefined;
  /** Epoch microseconds, both inclusive. */
  sinceUs?: number | undefined;
  untilUs?: number | undefined;
  limit?: number | undefined;
  filter: LogFilter | null;
  /** Time for the page, in ms; what was found by then is the page. */
  withinMs?: number;
}

export interface HistoryPage {
  entries: LogEntry[];
  /** Whether more may follow in the direction of the page. */
  hasMore: boolean;
  /** With `after`: why the lines between it and the first entry are not known, where its own is not in the journal any more. */
  gap?: GapReason;
  /** With a filter and `hasMore`: id of the last line looked at, from which the next page goes on. */
  next?: string;
}

/** Lines looked at for one page; a filter that matches less gets a page that is not full, with hasMore. */
const SCAN_MAX = 200_000;
/**
 * Line text of one page, in characters: what is longer comes with the next page. Fifty lines as long as journald takes
 * them from a service's output (48 KiB) fit.
 */
const PAGE_MAX_CHARS = 2_621_440;
/** Time for one page, in ms. */
const PAGE_MS = 15_000;
/** Time for a viewer's first lines through a filter, in ms: whoever subscribes waits 10 s for an answer. */
const RECENT_MS = 8000;
/** Continuations held while their entry is looked for backwards; what is further from its entry is judged alone. */
const HELD_MAX = 1000;

interface Collecting {
  withinMs: number;
  /** The entry that the page begins behind; not part of it. */
  place: Place | null;
  /** It is known to be there, whatever else is found first. */
  isThere: boolean;
  limit: number;
  filter: LogFilter | null;
  /**
   * Bounds as entries say their time, inclusive. journalctl refuses `--since` beside a cursor, and backwards from one it
   * does not look at `--until`.
   */
  since: string | null;
  until: string | null;
}

/** Passes entries through a filter in the direction they are read. */
interface Sieve {
  /** @returns what passes of this entry and of those that waited for it, in reading order */
  push(entry: LogEntry): LogEntry[];
  /** What still waits at the end of the journal. */
  end(): LogEntry[];
}

/**
 * A filter wants an entry before its continuations. Backwards they come first, so they are held until their entry is
 * known, and at the end the filter is left with the newest entry, for a viewer that goes on live behind it.
 */
function createSieve(filter: LogFilter | null, reverse: boolean): Sieve {
  if (!filter || !reverse)
    return { push: (entry) => (!filter || filter(entry) ? [entry] : []), end: () => [] };
  /** Newest first, the order of reading. */
  let held: LogEntry[] = [];
  let newest: LogEntry | null = null;

  const release = (head: LogEntry | null): LogEntry[] => {
    const group = head ? [...held, head] : held;
    held = [];
    return group.reverse().filter(filter).reverse();
  };

  return {
    push(entry) {
      if (entry.continuation !== true) {
        newest ??= entry;
        return release(entry);
      }
      held.push(entry);
      return held.length > HELD_MAX ? release(null) : [];
    },
    end() {
      const rest = release(null);
      if (newest) filter(newest);
      return rest;
    },
  };
}

interface ReadPage extends HistoryPage {
  /** Id of the first line looked at, whether it passed or not. */
  first: string | null;
  /** The entry at the place was not found. */
  isGone: boolean;
}

/**
 * Reads entries in one direction until `limit` of them pass the filter. Stops the remote side as soon as it has enough.
 * @returns the entries in reading order, and whether more may follow
 */
async function collect(
  deps: HistoryDeps,
  query: JournalQuery,
  options: Collecting,
  signal: AbortSignal,
): Promise<ReadPage> {
  const enough = new AbortController();
  const ending = AbortSignal.any([signal, enough.signal, AbortSignal.timeout(options.withinMs)]);
  const entries: LogEntry[] = [];
  let scanned = 0;
  let hasMore = false;
  let over = false;
  const skip = options.place && createSkip(options.place, options.isThere);
  const sieve = createSieve(options.filter, query.reverse === true);
  let full = false;
  let chars = 0;
  let first: string | null = null;
  let seen: string | undefined;
  /** Cursor of the first entry behind the place. */
  let head: string | null = null;
  const take = (passed: readonly LogEntry[]) => {
    for (const entry of passed) {
      chars += entry.line.length;
      const fits = entries.length === 0 || chars <= PAGE_MAX_CHARS;
      if (entries.length < options.limit && fits) entries.push(entry);
      else full = true;
    }
    hasMore ||= full;
  };
  for await (const records of deps.reader.read(deps.target, query, ending)) {
    scanned += records.length;
    const behind = skip?.push(records) ?? records;
    head ??= behind[0]?.cursor ?? null;
    for (const entry of deps.toEntries(behind)) {
      first ??= entry.id;
      seen = entry.id;
      const time = entry.time ?? '';
      const early = options.since !== null && time < options.since;
      if (early && query.reverse) over = true;
      if (early || (options.until !== null && time > options.until)) continue;
      take(sieve.push(entry));
    }
    if (scanned > SCAN_MAX && !over) hasMore = true;
    if (hasMore || over) break;
  }
  if (ending.aborted && !signal.aborted) hasMore = true;
  take(sieve.end());
  const { place } = options;
  const isGone = skip?.found === false || (skip?.found === null && !ending.aborted);
  const gap = place && isGone && !query.reverse ? gapReason(place.key, head) : null;
  enough.abort();
  const next = full ? entries.at(-1)?.id : seen;
  return {
    entries,
    hasMore,
    first,
    isGone,
    ...(gap ? { gap } : {}),
    ...(options.filter && hasMore && next !== undefined ? { next } : {}),
  };
}

async function readPage(deps: HistoryDeps, request: HistoryRequest, signal: AbortSignal): Promise<ReadPage> {
  const { before, after, sinceUs, untilUs, filter } = request;
  const limit = request.limit ?? HISTORY_DEFAULT;
  const forward = before === undefined && (after !== undefined || sinceUs !== undefined);
  const key = forward ? after : before;
  const place = key === undefined ? null : await findPlace(deps, { key, journal: null }, signal);
  const query: JournalQuery = {
    source: deps.source,
    start: place ? { cursor: place.cursor } : { since: sinceUs },
    reverse: !forward,
    ...(untilUs === undefined ? {} : { untilUs }),
  };
  const bounds = {
    since: sinceUs === undefined ? null : isoMicroseconds(sinceUs),
    until: untilUs === undefined ? null : isoMicroseconds(untilUs),
  };
  const options = { place, isThere: false, limit, filter, withinMs: request.withinMs ?? PAGE_MS, ...bounds };
  let page = await collect(deps, query, options, signal);
  const cursor = place && page.isGone ? await locate(deps, place, signal) : null;
  if (cursor !== null)
    page = await collect(deps, { ...query, start: { cursor } }, { ...options, isThere: true }, signal);
  return forward ? page : { ...page, entries: page.entries.reverse() };
}

/**
 * One page of history, oldest first [SIO-5]. With `after` or `since` the page starts there, otherwise it ends at `before`,
 * `until` or now.
 */
export async function historyPage(
  deps: HistoryDeps,
  request: HistoryRequest,
  signal: AbortSignal,
): Promise<HistoryPage> {
  const { first: _first, isGone: _isGone, ...page } = await readPage(deps, request, signal);
  return page;
}

/**
 * The line at a point and those above it that belong to the same entry, oldest first: what a filter has to know about the
 * lines behind it. Nothing where the journal does not hold it any more.
 */
export async function entryAt(
  deps: HistoryDeps,
  point: ResumePoint,
  signal: AbortSignal,
): Promise<LogEntry[]> {
  const place = await findPlace(deps, point, signal);
  const query = { source: deps.source, start: { cursor: place.cursor }, reverse: true };
  const lines: LogEntry[] = [];
  for await (const records of deps.reader.read(deps.target, query, signal)) {
    for (const record of records) {
      if (lines.length === 0 && cursorKey(record.cursor) !== point.key) {
        // journald may have given lines behind it the same time.
        if (record.realtimeUs === place.moment) continue;
        return [];
      }
      lines.push(...deps.toEntries([record]));
      if (lines.at(-1)?.continuation !== true || lines.length > HELD_MAX) return lines.reverse();
    }
  }
  return lines.reverse();
}

export interface RecentEntries {
  /** Oldest first. */
  entries: LogEntry[];
  /** Id of the journal's newest line, whether it passed the filter or not: what is new stands behind it. Null: none. */
  newest: string | null;
}

/** The newest `lines` entries that pass the filter; fewer where they are longer than a page may be. */
export async function recentEntries(
  deps: HistoryDeps,
  request: { lines: number; filter: LogFilter | null },
  signal: AbortSignal,
): Promise<RecentEntries> {
  if (request.filter) {
    const query = { limit: request.lines, filter: request.filter, withinMs: RECENT_MS };
    const { entries, first } = await readPage(deps, query, signal);
    return { entries, newest: first };
  }
  const newest: JournalRecord[] = [];
  let chars = 0;
  const query = { source: deps.source, start: { lines: request.lines } };
  for await (const records of deps.reader.read(deps.target, query, signal)) {
    for (const record of records) {
      newest.push(record);
      chars += record.message.length;
    }
    while (newest.length > 1 && chars > PAGE_MAX_CHARS) chars -= newest.shift()?.message.length ?? 0;
  }
  const entries = deps.toEntries(newest);
  return { entries, newest: entries.at(-1)?.id ?? null };
}
