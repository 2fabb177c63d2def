import { z } from 'zod';

/** Levels of a parsed line, least severe first. A line without a level token has `null`, and no filter hides it. */
export const LEVELS = ['trace', 'debug', 'info', 'notice', 'warn', 'error', 'fatal'] as const;
export const levelSchema = z.enum(LEVELS);
export type Level = (typeof LEVELS)[number];

/**
 * One journal line as viewers get it. Everything but `id` and `line` may be missing: in a batch what equals another
 * field or what the batch already says is left out (`completeEntry` fills it in).
 */
export const logEntrySchema = z.object({
  /** Opaque resume position: give it back as `after` to go on behind this line. */
  id: z.string(),
  /** The raw text of the journal message. */
  line: z.string(),
  /** When journald received it: ISO 8601 UTC in microseconds. */
  time: z.string().optional(),
  level: levelSchema.nullable().optional(),
  /** The logger or module that wrote the line. */
  target: z.string().nullable().optional(),
  /** Human text without time, level, target and fields. Missing in a batch: equal to `line`. */
  message: z.string().optional(),
  fields: z.record(z.string(), z.string()).optional(),
  pid: z.number().optional(),
  /** SYSLOG_IDENTIFIER of the journal. */
  identifier: z.string().optional(),
  /** True for a further line of the entry above: stack frames, wrapped text. Missing: false. */
  continuation: z.boolean().optional(),
});
export type LogEntry = z.infer<typeof logEntrySchema>;

/** A log entry with nothing left out. */
export type CompleteLogEntry = Required<LogEntry>;
