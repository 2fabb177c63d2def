/** One entry of a systemd journal, as far as Tailwire uses it. */
export interface JournalRecord {
  /** Opaque position in the journal (sd_journal_get_cursor(3)). */
  cursor: string;
  /** When journald received it, in microseconds since the epoch. */
  realtimeUs: number;
  /** The message as text; bytes that are not UTF-8 become U+FFFD. */
  message: string;
  pid?: number;
  /** SYSLOG_IDENTIFIER. */
  identifier?: string;
  /** syslog priority, 0 (emerg) to 7 (debug). */
  priority?: number;
  /** The other fields that were asked for, as text. */
  extra: Record<string, string>;
}

/** Fields every reader asks for (`--output-fields`); cursor and time stamps come unasked. */
export const RECORD_FIELDS = ['MESSAGE', 'PRIORITY', '_PID', 'SYSLOG_IDENTIFIER'] as const;

/** Most that is kept of a field, in bytes; journald itself splits lines of stdout at 48 KiB, native clients may send more. */
export const MESSAGE_MAX = 1_048_576;
