import { LEVELS, type Level } from '../shared/log-entry.ts';
import type { LogItem, LogLine } from './log-item.ts';

export interface LogFilter {
  /** Levels to show; all unless given. Lines without a level are shown always: nobody can say that they do not matter. */
  levels?: readonly Level[];
  /** Text that the raw line must contain. Upper and lower case are the same unless the text has an upper-case letter. */
  text?: string;
  /** Takes `text` as a regular expression. */
  regex?: boolean;
}

export interface CompiledFilter {
  /** Whether a line passes by itself. */
  matches(line: LogLine): boolean;
  /**
   * A test for items in their order: what passes brings its continuations along, as on the server, and gaps always pass.
   * Each walk over items needs one of its own.
   */
  walk(): (item: LogItem) => boolean;
  /** Where the text is found, as [start, end) pairs in ascending order, at most `limit`. */
  ranges(text: string, limit?: number): [start: number, end: number][];
  /** Why the pattern is not valid; then only the levels count. */
  readonly error: string | null;
}

/** Highlights in one line: more tell the reader nothing. */
const RANGES = 200;

export function compileFilter(filter: LogFilter): CompiledFilter {
  const levels = filter.levels === undefined ? null : new Set<Level>(filter.levels);
  const text = filter.text ?? '';
  let pattern: RegExp | null = null;
  let error: string | null = null;
  if (text !== '') {
    const flags = /\p{Lu}/u.test(text) ? 'g' : 'gi';
    try {
      pattern = new RegExp(filter.regex === true ? text : escapeRegExp(text), flags);
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause);
    }
  }
  const hasLevel = (line: LogLine) =>
    levels === null || line.groupLevel === null || levels.has(line.groupLevel);
  const hasText = (line: LogLine) => {
    if (pattern === null) return true;
    pattern.lastIndex = 0;
    return pattern.test(line.line);
  };
  return {
    matches: (line) => hasLevel(line) && hasText(line),
    walk() {
      let headPassed = false;
      return (item) => {
        if (item.kind === 'gap') {
          headPassed = false;
          return true;
        }
        if (item.continuation) return hasLevel(item) && (headPassed || hasText(item));
        headPassed = hasLevel(item) && hasText(item);
        return headPassed;
      };
    },
    ranges(input, limit = RANGES) {
      const found: [number, number][] = [];
      if (pattern === null) return found;
      for (const match of input.matchAll(pattern)) {
        if (match[0] !== '') found.push([match.index, match.index + match[0].length]);
        if (found.length >= limit) break;
      }
      return found;
    },
    error,
  };
}

/**
 * The filter as the gateway takes it: an RE2 pattern with the same rule for upper and lower case, and the least of the
 * levels, from which on the gateway passes all. What it passes too much the filter here still leaves out.
 */
export function serverFilter(filter: LogFilter): { level?: Level; grep?: string } {
  const { text = '', regex, levels } = filter;
  const pattern = regex === true ? text : escapeRegExp(text);
  const grep = /\p{Lu}/u.test(text) ? pattern : `(?i)${pattern}`;
  const least =
    levels === undefined ? undefined : (LEVELS.find((level) => levels.includes(level)) ?? 'fatal');
  return {
    ...(text === '' ? {} : { grep }),
    ...(least === undefined || least === LEVELS[0] ? {} : { level: least }),
  };
}

/** Whether a filter leaves anything out. */
export function isFiltering(filter: LogFilter): boolean {
  return (filter.text ?? '') !== '' || filter.levels !== undefined;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
