import { type GatewayError, localError } from './errors.ts';
import { compileFilter, isFiltering, type LogFilter, serverFilter } from './log-filter.ts';
import { completeEntry, type LogItem, type LogLine } from './log-item.ts';
import type { LogStream } from './log-stream.ts';

/** Older lines that pass a filter, found on the host. */
export interface OlderSearch {
  /** idle: nothing was asked. searching: on the way. done: the beginning of the journal was reached. */
  readonly status: 'idle' | 'searching' | 'done';
  readonly error: GatewayError | null;
  /** Matches found so far. */
  readonly found: number;
}

export interface OlderSearchControl {
  state(): OlderSearch;
  /** The matches, oldest first; the same array until it changes. */
  lines(): readonly LogItem[];
  /** Fetches the next older matches. */
  more(): Promise<void>;
  /** Takes in lines that fell out of the stream's buffer, so that no hole opens between it and the matches. */
  adopt(lines: readonly LogItem[]): void;
  /** Forgets all and searches for something else from now on. */
  reset(filter: LogFilter): void;
}

/** Matches of one page. */
const PAGE = 200;
/** Matches kept; the oldest are let go. */
const FOUND_MAX = 10_000;
/** Matches get numbers far below those of any line in a stream's buffer, so that the order of numbers is that of lines. */
const FIRST_SEQ = -1_000_000_000;

export const NO_SEARCH: OlderSearch = Object.freeze({ status: 'idle', error: null, found: 0 });
const NO_LINES: readonly LogItem[] = Object.freeze([]);

/**
 * Searches the journal backwards from the oldest line of a stream, on the host, for what passes a filter. The filter is
 * applied there as far as the gateway knows it, and here once more.
 */
export function createOlderSearch(stream: LogStream, changed: () => void): OlderSearchControl {
  let filter: LogFilter = {};
  let state: OlderSearch = NO_SEARCH;
  let lines: readonly LogItem[] = NO_LINES;
  /** Id to go on before. */
  let position: string | null = null;
  let nextSeq = FIRST_SEQ;
  /** One higher with each reset: an answer to an earlier question is dropped. */
  let life = 0;

  function set(next: Partial<OlderSearch>): void {
    state = { ...state, ...next, found: lines.length };
    changed();
  }

  return {
    state: () => state,
    lines: () => lines,
    async more() {
      const oldest = stream.get().items.find((item) => item.kind === 'line');
      position ??= oldest?.kind === 'line' ? oldest.id : null;
      if (!isFiltering(filter) || state.status !== 'idle' || position === null) return;
      const asked = life;
      set({ status: 'searching', error: null });
      const answer = await stream.history({ before: position, limit: PAGE, ...serverFilter(filter) });
      if (asked !== life) return;
      if (!answer.ok) return set({ status: 'idle', error: answer.error });
      const next = answer.next ?? answer.entries[0]?.id;
      const isEnd = !answer.hasMore;
      if (!isEnd && next === undefined) return set({ status: 'idle', error: localError('bad_answer') });
      position = next ?? position;
      const page: LogLine[] = [];
      nextSeq -= answer.entries.length;
      for (const [index, entry] of answer.entries.entries())
        page.push(completeEntry(entry, nextSeq + index, page.at(-1)));
      const passes = compileFilter(filter).walk();
      lines = [...page.filter(passes), ...lines].slice(-FOUND_MAX);
      set({ status: isEnd ? 'done' : 'idle' });
    },
    adopt(more) {
      if (position === null || more.length === 0) return;
      lines = [...lines, ...more].slice(-FOUND_MAX);
      state = { ...state, found: lines.length };
    },
    reset(next) {
      filter = next;
      lines = NO_LINES;
      position = null;
      nextSeq = FIRST_SEQ;
      life += 1;
      state = NO_SEARCH;
    },
  };
}
