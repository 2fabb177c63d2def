import type { LogEntry } from './log-entry.ts';

/**
 * An entry as it stands in a `log_batch` [SIO-3]: nothing is said twice. `id` and `line` are always there. Message and
 * fields are mostly pieces of the line, so that `cut` tells where they are, instead of their text; where they are not
 * (escapes were decoded), they are there in full, as in `log_data`.
 */
export interface PackedEntry extends LogEntry {
  /** Microseconds from the batch's `time` to this entry's; missing: none. */
  us?: number;
  /**
   * Where message and fields stand in `line`: numbers as in source maps, but without a sign: base64 digits of five bits,
   * lowest first, with 32 added to all digits of a number but the last. First the message's start and length. Then for
   * each field twice the length of its key, plus 1 where these two follow: the distance of the key from the end of the
   * field before (of the line's start for the first), and that of the value from the key's end; else both are 1, as in
   * `a=1 b=2`. Then the length of the value.
   */
  cut?: string;
}

/** What a batch says once for all its entries: an entry that says nothing else has the same. */
export interface BatchShared {
  pid?: number;
  identifier?: string;
  /** Of the first entry: ISO 8601 UTC in microseconds. */
  time?: string;
}

export interface PackedBatch extends BatchShared {
  entries: PackedEntry[];
}

/** Keeps the text of the second it was asked for last: lines come many to a second, and a calendar is slow. */
function createIsoClock(): (us: number) => string {
  let known = Number.NaN;
  let text = '';
  return (us) => {
    const second = Math.floor(us / 1_000_000);
    if (second !== known) {
      text = new Date(second * 1000).toISOString().slice(0, -4);
      known = second;
    }
    return `${text}${String(us - second * 1_000_000).padStart(6, '0')}Z`;
  };
}

/** Epoch microseconds as ISO 8601 UTC with six fraction digits [SIO-3]. */
export const isoMicroseconds = createIsoClock();

/** Length of `YYYY-MM-DDTHH:MM:`, and of the whole. */
const MINUTE = 17;
const ISO_LENGTH = 27;

/** Epoch microseconds of an instant as `isoMicroseconds` writes it. */
const microsecondsOf = (iso: string): number => Date.parse(iso) * 1000 + Number(iso.slice(23, 26));

/** Microseconds from one such instant to another. Most are within one minute, which needs no calendar. */
function microsecondsBetween(from: string, to: string): number {
  if (from.slice(0, MINUTE) !== to.slice(0, MINUTE)) return microsecondsOf(to) - microsecondsOf(from);
  const within = (iso: string) => Number(iso.slice(MINUTE, 19)) * 1_000_000 + Number(iso.slice(20, 26));
  return within(to) - within(from);
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function digits(value: number): string {
  let text = '';
  let rest = value;
  while (rest > 31) {
    text += DIGITS[32 | (rest & 31)];
    rest >>>= 5;
  }
  return text + DIGITS[rest];
}

/** Numbers of a `cut`, one after the other; NaN behind the last one or at a character that is no digit. */
function createReader(text: string): { next(): number; done(): boolean } {
  let at = 0;
  return {
    done: () => at >= text.length,
    next() {
      let value = 0;
      for (let shift = 0; ; shift += 5) {
        const digit = at < text.length ? DIGITS.indexOf(text.charAt(at++)) : -1;
        if (digit === -1 || shift > 25) return Number.NaN;
        value |= (digit & 31) << shift;
        if (digit < 32) return value;
      }
    },
  };
}

/** Where the fields stand, in the order of the line; null where one of them does not. */
function cutFields(line: string, messageEnd: number, fields: Record<string, string>): string | null {
  let text = '';
  let end = 0;
  for (const key in fields) {
    const value = fields[key] ?? '';
    if (key === '__proto__' || key === '') return null;
    const near = end + 1;
    const nearValue = near + key.length + 1;
    if (end > 0 && line.startsWith(key, near) && line.startsWith(value, nearValue)) {
      text += digits(key.length * 2) + digits(value.length);
      end = nearValue + value.length;
      continue;
    }
    let at = line.indexOf(key, end === 0 ? messageEnd : end);
    if (at === -1 && end === 0) at = line.indexOf(key);
    const keyEnd = at + key.length;
    const start = at === -1 ? -1 : line.indexOf(value, Math.min(keyEnd + 1, line.length));
    if (start === -1) return null;
    text += digits(key.length * 2 + 1) + digits(at - end) + digits(start - keyEnd) + digits(value.length);
    end = start + value.length;
  }
  return text;
}

/** Message and fields of an entry: where they stand in its line, or else in full. */
function packText(entry: LogEntry, packed: PackedEntry): void {
  const { line, message, fields } = entry;
  if (message === undefined && fields === undefined) return;
  const start = message === undefined ? 0 : line.indexOf(message);
  const length = (message ?? line).length;
  const cut = start === -1 ? null : fields ? cutFields(line, start + length, fields) : '';
  if (cut !== null) {
    packed.cut = digits(start) + digits(length) + cut;
    return;
  }
  if (message !== undefined) packed.message = message;
  if (fields !== undefined) packed.fields = fields;
}

/** Packs entries that stand alone. */
export function packBatch(entries: readonly LogEntry[]): PackedBatch {
  const { pid, identifier, time = '' } = entries[0] ?? {};
  const onePid = pid !== undefined && entries.every((entry) => entry.pid === pid);
  const oneIdentifier = identifier !== undefined && entries.every((entry) => entry.identifier === identifier);
  const timed = entries.length > 0 && entries.every((entry) => entry.time?.length === ISO_LENGTH);
  const packed = entries.map((entry) => {
    const one: PackedEntry = { id: entry.id, line: entry.line };
    if (!timed && entry.time !== undefined) one.time = entry.time;
    const us = timed ? microsecondsBetween(time, entry.time ?? '') : 0;
    if (us !== 0) one.us = us;
    if (entry.level !== undefined) one.level = entry.level;
    if (entry.target !== undefined) one.target = entry.target;
    packText(entry, one);
    if (!onePid && entry.pid !== undefined) one.pid = entry.pid;
    if (!oneIdentifier && entry.identifier !== undefined) one.identifier = entry.identifier;
    if (entry.continuation !== undefined) one.continuation = entry.continuation;
    return one;
  });
  return {
    ...(onePid ? { pid } : {}),
    ...(oneIdentifier ? { identifier } : {}),
    ...(timed ? { time } : {}),
    entries: packed,
  };
}

/** Message and fields by a `cut`; one that is not as it should be adds nothing. */
function applyCut(entry: LogEntry, cut: string): void {
  const { line } = entry;
  const reader = createReader(cut);
  const start = reader.next();
  const messageEnd = start + reader.next();
  if (!(messageEnd <= line.length)) return;
  const message = line.slice(start, messageEnd);
  if (message !== line) entry.message ??= message;
  const fields: Record<string, string> = {};
  let end = 0;
  let count = 0;
  while (!reader.done()) {
    const head = reader.next();
    const far = (head & 1) === 1;
    const key = end + (far ? reader.next() : 1);
    const keyEnd = key + (head >> 1);
    const value = keyEnd + (far ? reader.next() : 1);
    end = value + reader.next();
    if (!(end <= line.length)) return;
    fields[line.slice(key, keyEnd)] = line.slice(value, end);
    count++;
  }
  if (count > 0) entry.fields ??= fields;
}

/** An entry that stands alone again: what the batch says for all, and what `cut` points at, is filled in. */
export function unpackEntry(packed: PackedEntry, batch: BatchShared): LogEntry {
  const { us, cut, ...entry } = packed;
  if (entry.time === undefined && batch.time !== undefined) {
    entry.time = us ? isoMicroseconds(microsecondsOf(batch.time) + us) : batch.time;
  }
  if (entry.pid === undefined && batch.pid !== undefined) entry.pid = batch.pid;
  if (entry.identifier === undefined && batch.identifier !== undefined) entry.identifier = batch.identifier;
  if (cut !== undefined) applyCut(entry, cut);
  return entry;
}
