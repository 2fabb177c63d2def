import type { Level } from '../shared/log-entry.ts';
import type { LogLine } from './log-item.ts';

export interface LogFilter {
  /** Levels to show; all unless given. Lines without a level are shown always: nobody can say that they do not matter. */
  levels?: readonly Level[];
  /** Text that the raw line must contain. Upper and lower case are the same unless the text has an upper-case letter. */
  text?: string;
  /** Takes `text` as a regular expression. */
  regex?: boolean;
}

export interface CompiledFilter {
  matches(line: LogLine): boolean;
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
  return {
    matches(line) {
      if (levels !== null && line.groupLevel !== null && !levels.has(line.groupLevel)) return false;
      if (pattern === null) return true;
      pattern.lastIndex = 0;
      return pattern.test(line.line);
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

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
