import type { LogEntry } from '../../shared/log-entry.ts';
import { isoMicroseconds, type JournalRecord } from './journal/record.ts';
import { parseLine } from './parsers/index.ts';
import type { PositionCodec } from './position.ts';

/**
 * Makes a log entry of a journal record, leaving out whatever equals another field or is empty [SIO-3].
 * @param client hint for the parser: the client that runs in the unit
 */
export function toEntry(record: JournalRecord, codec: PositionCodec, client?: string): LogEntry {
  const line = record.message;
  const parsed = parseLine(line, client);
  const entry: LogEntry = { id: codec.encode(record.cursor), line, time: isoMicroseconds(record.realtimeUs) };
  if (parsed.level !== null) entry.level = parsed.level;
  if (parsed.target !== null) entry.target = parsed.target;
  if (parsed.message !== line) entry.message = parsed.message;
  for (const _name in parsed.fields) {
    entry.fields = parsed.fields;
    break;
  }
  if (record.pid !== undefined) entry.pid = record.pid;
  if (record.identifier !== undefined) entry.identifier = record.identifier;
  if (parsed.continuation) entry.continuation = true;
  return entry;
}

/** What a batch says once for all its entries. */
export interface BatchBody {
  pid?: number;
  identifier?: string;
  entries: LogEntry[];
}

/**
 * Encodes entries once for all viewers: JSON object text. What all entries share stands in the batch, not in the entries.
 */
export function encodeBatch(entries: readonly LogEntry[]): string {
  const [first] = entries;
  const shared: { pid?: number; identifier?: string } = {};
  if (first?.pid !== undefined && entries.every((entry) => entry.pid === first.pid)) shared.pid = first.pid;
  if (first?.identifier !== undefined && entries.every((entry) => entry.identifier === first.identifier)) {
    shared.identifier = first.identifier;
  }
  const body: BatchBody = {
    ...shared,
    entries: entries.map((entry) => {
      const own = { ...entry };
      if (shared.pid !== undefined) delete own.pid;
      if (shared.identifier !== undefined) delete own.identifier;
      return own;
    }),
  };
  return JSON.stringify(body);
}

/** Reads a body back into entries that stand alone. */
export function decodeBatch(body: string): LogEntry[] {
  const { entries, ...shared } = JSON.parse(body) as BatchBody;
  return entries.map((entry) => ({ ...shared, ...entry }));
}
