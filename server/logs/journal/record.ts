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

const KNOWN = new Set<string>([
  ...RECORD_FIELDS,
  '__CURSOR',
  '__REALTIME_TIMESTAMP',
  '__MONOTONIC_TIMESTAMP',
  '_BOOT_ID',
  '__SEQNUM',
  '__SEQNUM_ID',
]);

/** Longest message kept, in characters; journald itself splits lines of stdout at 48 KiB, native clients may send more. */
export const MESSAGE_MAX = 1_048_576;

/**
 * A journal field as `journalctl --output=json` writes it: text, an array of byte numbers where it is no clean UTF-8 or
 * holds control characters, null where it was too large, or an array of these where the field is repeated
 * (systemd: Journal JSON Format). Repeated fields: the first counts.
 */
function fieldText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  if (value.length === 0) return '';
  if (typeof value[0] !== 'number') return fieldText(value[0]);
  return value.every((byte) => typeof byte === 'number') ? Buffer.from(value).toString('utf8') : null;
}

/** Stands for a message whose record was cut by the line splitter. */
const TOO_LONG = '[message too long to be shown]';

/**
 * What is left of a record that was cut for its length: its place and time, so that the line is not silently missing.
 * Inside of a JSON text every quotation mark is escaped, so no message can pretend to be one of these fields.
 */
function decodeTorn(line: string): JournalRecord | null {
  const cursor = /"__CURSOR":"([^"\\]+)"/.exec(line)?.[1];
  const realtimeUs = Number(/"__REALTIME_TIMESTAMP":"(\d{1,16})"/.exec(line)?.[1]);
  if (cursor === undefined || !Number.isSafeInteger(realtimeUs)) return null;
  return { cursor, realtimeUs, message: TOO_LONG, extra: {} };
}

function fieldNumber(value: unknown): number | undefined {
  const text = fieldText(value);
  if (text === null || text === '') return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

/**
 * Decodes one line of `journalctl --output=json`; one that was cut for its length keeps its place and time.
 * @returns null for a line that is no journal entry (`-- No entries --`, an empty line)
 */
export function decodeRecord(line: string): JournalRecord | null {
  if (!line.startsWith('{')) return null;
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return decodeTorn(line);
  }
  const cursor = fieldText(json.__CURSOR);
  const realtimeUs = fieldNumber(json.__REALTIME_TIMESTAMP);
  if (cursor === null || realtimeUs === undefined) return null;
  const message = fieldText(json.MESSAGE);
  const record: JournalRecord = {
    cursor,
    realtimeUs,
    message: message === null ? '' : message.length > MESSAGE_MAX ? message.slice(0, MESSAGE_MAX) : message,
    extra: {},
  };
  const pid = fieldNumber(json._PID);
  if (pid !== undefined) record.pid = pid;
  const identifier = fieldText(json.SYSLOG_IDENTIFIER);
  if (identifier) record.identifier = identifier;
  const priority = fieldNumber(json.PRIORITY);
  if (priority !== undefined) record.priority = priority;
  for (const name in json) {
    if (KNOWN.has(name)) continue;
    const text = fieldText(json[name]);
    if (text !== null) record.extra[name] = text;
  }
  return record;
}
