import { LEVELS, type Level, type LogEntry } from '../../shared/log-entry.ts';
import { compilePattern } from './pattern.ts';

/**
 * Which entries a viewer wants to see. Entries are asked about in their order, because a continuation goes with the
 * entry above it; each viewer and each page has a filter of its own.
 *
 * @throws AppError invalid_pattern when the pattern takes too long
 */
export type LogFilter = (entry: LogEntry) => boolean;

/**
 * Builds the filter of a request: `level` passes that level and above, and always what has none; `grep` is an RE2 pattern
 * on the raw line, so that no pattern can take more than linear time. What passes brings its continuations along (the
 * stack trace of an error), and a continuation that holds the pattern itself passes where its entry's level does.
 *
 * @returns null where everything passes
 * @throws AppError invalid_pattern, with what is wrong with it
 */
export function createFilter(request: {
  level?: Level | null | undefined;
  grep?: string | null | undefined;
}): LogFilter | null {
  const { level, grep } = request;
  const allowed = level ? new Set<string>(LEVELS.slice(LEVELS.indexOf(level))) : null;
  const matches = grep ? compilePattern(grep) : null;
  if (!allowed && !matches) return null;
  /** How the entry above fared; a continuation whose head was not seen has no level and goes by its own text. */
  let levelPassed = true;
  let textPassed = false;
  return (entry) => {
    if (entry.continuation !== true) {
      levelPassed = !allowed || !entry.level || allowed.has(entry.level);
      textPassed = levelPassed && (!matches || matches(entry.line));
      return textPassed;
    }
    return levelPassed && (textPassed || !matches || matches(entry.line));
  };
}
