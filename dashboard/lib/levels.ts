import type { Level } from 'tailwire/shared/log-entry.ts';

/** Levels for the chips, most severe first. */
export const LEVELS_BY_SEVERITY: readonly Level[] = [
  'fatal',
  'error',
  'warn',
  'notice',
  'info',
  'debug',
  'trace',
];

/** Text colour of a level. The word always stands beside it: colour alone says nothing. */
export const LEVEL_COLOUR: Readonly<Record<Level, string>> = {
  fatal: 'text-odd',
  error: 'text-bad',
  warn: 'text-warn',
  notice: 'text-info',
  info: 'text-good',
  debug: 'text-muted',
  trace: 'text-muted',
};
