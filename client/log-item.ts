import type { LogGap } from '../shared/events.ts';
import { type BatchShared, type PackedEntry, unpackEntry } from '../shared/log-batch.ts';
import type { Level } from '../shared/log-entry.ts';

/** A journal line with everything filled in that a batch leaves out. */
export interface LogLine {
  readonly kind: 'line';
  /** Place in this client's buffer: one higher per item, unique in a stream, never sent anywhere. */
  readonly seq: number;
  readonly id: string;
  /** The raw text. */
  readonly line: string;
  /** ISO 8601 UTC in microseconds; null where the server does not know it. */
  readonly time: string | null;
  readonly level: Level | null;
  /** The level that filters go by: a continuation has that of the entry it belongs to. */
  readonly groupLevel: Level | null;
  readonly target: string | null;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly pid: number | null;
  readonly identifier: string | null;
  readonly continuation: boolean;
}

/**
 * Why lines are missing: the reasons of the server, and two of the client: the server no longer knows the position, or
 * it could not resume and gave no reason.
 */
export type GapReason = LogGap['reason'] | 'position_lost' | 'unknown';

/** Lines are missing here, and it is said. */
export interface LogGapItem {
  readonly kind: 'gap';
  readonly seq: number;
  readonly reason: GapReason;
  readonly from: string | null;
  readonly to: string | null;
  /** When the client learned of it, epoch ms. */
  readonly noticedAt: number;
}

export type LogItem = LogLine | LogGapItem;

/** What a batch says once for all its entries. */
export type SharedFields = BatchShared;

/** No fields: one frozen object for all lines without any. */
const NO_FIELDS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Fills in what a batch leaves out [SIO-3]: no message means the line itself, no fields none, no continuation false.
 *
 * @param above the item before it, which a continuation belongs to
 * @param batch what all entries of the batch share
 */
export function completeEntry(
  packed: PackedEntry,
  seq: number,
  above?: LogItem,
  batch: SharedFields = {},
): LogLine {
  const entry = unpackEntry(packed, batch);
  const level = entry.level ?? null;
  const continuation = entry.continuation ?? false;
  const inherits = continuation && level === null && above?.kind === 'line';
  return {
    kind: 'line',
    seq,
    id: entry.id,
    line: entry.line,
    time: entry.time ?? null,
    level,
    groupLevel: inherits ? above.groupLevel : level,
    target: entry.target ?? null,
    message: entry.message ?? entry.line,
    fields: entry.fields ?? NO_FIELDS,
    pid: entry.pid ?? null,
    identifier: entry.identifier ?? null,
    continuation,
  };
}
