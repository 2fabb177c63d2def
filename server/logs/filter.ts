import { RE2JS } from 're2js';
import { LEVELS, type Level, type LogEntry } from '../../shared/log-entry.ts';
import { AppError } from '../core/errors.ts';

/** Which entries a viewer wants to see. */
export type LogFilter = (entry: LogEntry) => boolean;

/**
 * Builds the filter of a request: `level` passes that level and above, and always what has none; `grep` is an RE2 pattern
 * on the raw line, so that no pattern can take more than linear time.
 *
 * @returns null where everything passes
 * @throws AppError invalid_pattern, with what RE2 says about it
 */
export function createFilter(request: {
  level?: Level | null | undefined;
  grep?: string | null | undefined;
}): LogFilter | null {
  const { level, grep } = request;
  const allowed = level ? new Set<string>(LEVELS.slice(LEVELS.indexOf(level))) : null;
  const pattern = grep ? compile(grep) : null;
  if (!allowed && !pattern) return null;
  return (entry) =>
    (!allowed || !entry.level || allowed.has(entry.level)) &&
    (!pattern || pattern.matcher(entry.line).find());
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new AppError('invalid_pattern', { detail: error instanceof Error ? error.message : String(error) });
  }
}
