import type { LogEntry } from '../../shared/log-entry.ts';
import type { JournalRecord } from './journal/record.ts';
import type { ResumeEvent, ResumePoint } from './journal/resume.ts';
import { createChunk, type LogChunk } from './tail.ts';

/** Records behind a point, made into entries and encoded at most once for all who read along. */
export type SharedEvent =
  | Extract<ResumeEvent, { kind: 'gap' }>
  | { kind: 'records'; entries(): readonly LogEntry[]; chunk(): LogChunk };

/** What a shared read keeps for its slower members, in characters of line text; whoever falls behind it reads alone. */
const WINDOW_CHARS = 1_048_576;
/**
 * As much is kept from the beginning for those who come a moment later. Behind it only what a member has still to take:
 * what everybody has taken and yet is kept lives long enough to be copied by the garbage collector again and again, which
 * cost a single reader half of its speed.
 */
const OPEN_CHARS = 262_144;

interface SharedRead {
  /** Yields from the first event on; ends early for a member that has fallen behind the window. */
  join(signal: AbortSignal): AsyncGenerator<SharedEvent>;
  /** True while the first event is still there, so that a further member misses nothing. */
  open(): boolean;
}

function createSharedRead(
  source: AsyncGenerator<ResumeEvent>,
  toEntries: (records: readonly JournalRecord[]) => LogEntry[],
  onLeft: () => void,
): SharedRead {
  const kept: { event: SharedEvent; chars: number }[] = [];
  let dropped = 0;
  let chars = 0;
  /** Of everything that was read so far. */
  let readChars = 0;
  const members = new Set<{ position: number }>();
  let ended: { error: unknown } | null = null;
  let pulling: Promise<void> | null = null;

  function dropOldest(): void {
    chars -= kept.shift()?.chars ?? 0;
    dropped++;
  }

  function trim(): void {
    let slowest = Number.POSITIVE_INFINITY;
    for (const { position } of members) slowest = Math.min(slowest, position);
    if (readChars > OPEN_CHARS) while (kept.length > 0 && dropped < slowest) dropOldest();
    while (kept.length > 0 && chars > WINDOW_CHARS) dropOldest();
  }

  function keep(event: ResumeEvent): void {
    if (event.kind === 'gap') {
      kept.push({ event, chars: 0 });
      return;
    }
    const { records } = event;
    const size = records.reduce((sum, record) => sum + record.message.length, 0);
    let entries: LogEntry[] | undefined;
    let chunk: LogChunk | undefined;
    const shared: SharedEvent = {
      kind: 'records',
      entries: () => (entries ??= toEntries(records)),
      chunk: () => (chunk ??= createChunk(shared.kind === 'records' ? shared.entries() : [])),
    };
    // Before the new one is there: that one is for all of them.
    trim();
    kept.push({ event: shared, chars: size });
    chars += size;
    readChars += size;
  }

  async function pull(): Promise<void> {
    try {
      const next = await source.next();
      if (next.done) ended = { error: null };
      else keep(next.value);
    } catch (error) {
      ended = { error };
    }
    pulling = null;
  }

  return {
    open: () => dropped === 0 && !ended,
    async *join(signal) {
      const member = { position: 0 };
      members.add(member);
      try {
        while (!signal.aborted) {
          if (member.position < dropped) return;
          const found = kept[member.position - dropped];
          if (found) {
            member.position++;
            yield found.event;
          } else if (ended) {
            if (ended.error !== null) throw ended.error;
            return;
          } else {
            pulling ??= pull();
            await pulling;
          }
        }
      } finally {
        members.delete(member);
        if (members.size === 0) onLeft();
      }
    },
  };
}

/**
 * Reads of the journal behind one point, shared by viewers that ask for the same one while it has only begun: after an
 * instance died or a network came back, many viewers stand at the same line. The quickest of them sets the pace; what
 * they have in common is read, parsed and encoded once.
 */
export function createSharedResume(deps: {
  read(point: ResumePoint, signal: AbortSignal): AsyncGenerator<ResumeEvent>;
  toEntries(records: readonly JournalRecord[]): LogEntry[];
}) {
  const reads = new Map<string, SharedRead>();

  function begin(point: ResumePoint): SharedRead {
    const leaving = new AbortController();
    const source = deps.read(point, leaving.signal);
    const read = createSharedRead(source, deps.toEntries, () => {
      leaving.abort();
      // Ends the generator also where nobody was waiting for it; what it still does is clean up.
      source.return(undefined).catch(() => {});
      if (reads.get(point.key) === read) reads.delete(point.key);
    });
    reads.set(point.key, read);
    return read;
  }

  /** @throws AppError as JournalReader.read, to every member */
  return (point: ResumePoint, signal: AbortSignal): AsyncGenerator<SharedEvent> => {
    const running = reads.get(point.key);
    return (running?.open() ? running : begin(point)).join(signal);
  };
}
