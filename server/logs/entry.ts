import { isoMicroseconds, type PackedBatch, packBatch, unpackEntry } from '../../shared/log-batch.ts';
import type { LogEntry } from '../../shared/log-entry.ts';
import { type JournalRecord, MESSAGE_MAX } from './journal/record.ts';
import { parseLine } from './parsers/index.ts';
import type { PositionCodec } from './position.ts';

/** Many lines are given to a viewer in parts of this much line text, in characters. */
const PART_CHARS = 262_144;

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
  // Neutralised control characters take more room than they had.
  if (parsed.message !== line) entry.message = parsed.message.slice(0, MESSAGE_MAX);
  for (const _name in parsed.fields) {
    entry.fields = parsed.fields;
    break;
  }
  if (record.pid !== undefined) entry.pid = record.pid;
  if (record.identifier !== undefined) entry.identifier = record.identifier;
  if (parsed.continuation) entry.continuation = true;
  return entry;
}

/** Encodes entries once for all viewers: JSON object text, in which nothing is said twice. */
export const encodeBatch = (entries: readonly LogEntry[]): string => JSON.stringify(packBatch(entries));

/** Reads a body back into entries that stand alone. */
export function decodeBatch(body: string): LogEntry[] {
  const { entries, ...shared } = JSON.parse(body) as PackedBatch;
  return entries.map((entry) => unpackEntry(entry, shared));
}

/** Entries in parts of about PART_CHARS. */
export function* partsOf(entries: readonly LogEntry[]): Generator<readonly LogEntry[]> {
  let from = 0;
  let chars = 0;
  for (const [at, entry] of entries.entries()) {
    chars += entry.line.length;
    if (chars < PART_CHARS && at + 1 < entries.length) continue;
    yield entries.slice(from, at + 1);
    from = at + 1;
    chars = 0;
  }
}
