import type { Level } from '../../../shared/log-entry.ts';

/** What a line says about itself. `message` is never null, `fields` never holds anything but strings. */
export interface ParsedLine {
  level: Level | null;
  /** ISO 8601 UTC with the fraction digits the line printed; null where the line lacks a year or a date. */
  time: string | null;
  /** The timestamp as printed where `time` cannot be told, else null. */
  timeRaw: string | null;
  /** The logger or module. */
  target: string | null;
  message: string;
  fields: Record<string, string>;
  /** A further line of the entry above: a stack frame, wrapped text, a banner. */
  continuation: boolean;
}

/** The time part of a parsed line. */
export type When = Pick<ParsedLine, 'time' | 'timeRaw'>;

/** A line whose outer prefixes (journal, syslog, compose) and colours are gone, as the formats see it. */
export interface Line {
  /** The text, not starting with a blank. */
  text: string;
  /** Client name of the unit, lower case, or ''. Settles what the line leaves open, never overrules it. */
  hint: string;
  /** The syslog identifier in front of the line, or ''. */
  ident: string;
}

export const NO_TIME: When = { time: null, timeRaw: null };

/** An entry of a known format; the message is trimmed here so that no format has to. */
export function entry(
  level: Level | null,
  when: When,
  target: string | null,
  message: string,
  fields: Record<string, string> = {},
): ParsedLine {
  return {
    level,
    time: when.time,
    timeRaw: when.timeRaw,
    target,
    message: message.trim(),
    fields,
    continuation: false,
  };
}
