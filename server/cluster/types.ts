/** What makes several instances one. Each has a Redis form and an in-memory twin, held to one contract test suite. */

/** A right that one instance holds at a time. `fence` grows with every holder; a store refuses an older one. */
export interface Lease {
  readonly name: string;
  readonly fence: number;
  /** Aborts when the lease is lost: expired, taken over, or released. */
  readonly lost: AbortSignal;
  /** Gives it back at once so that another instance need not wait. Idempotent. */
  release(): Promise<void>;
}

export interface LeaseManager {
  /** Takes the lease if it is free; null if another holder has it. @throws AppError store_unavailable */
  acquire(name: string): Promise<Lease | null>;
  /** Calls back when a lease may be free now (released by its holder); a hint, polling remains necessary. */
  onReleased(listener: (name: string) => void): () => void;
  stop(): Promise<void>;
}

/** Lines of one append, in the order of the journal, already encoded once for every viewer. */
export interface StreamBatch {
  /** Sequence number of the first line; the lines count up from it without holes. */
  firstSeq: number;
  count: number;
  /** JSON array of the lines' log entries, as text; the same bytes go to every batch viewer. */
  entries: string;
  /** The journal cursors of the lines. */
  cursors: string[];
}

/** What a stream is at one moment. `epoch` changes when a stream had to begin anew (Redis came back empty or older). */
export interface StreamHead {
  epoch: string;
  /** Sequence number of the newest line; 0 in an empty stream. */
  seq: number;
  /** Journal cursor of the newest line; null in an empty stream. */
  cursor: string | null;
}

export interface StreamTail extends StreamHead {
  /** The batches still kept, oldest first. */
  batches: StreamBatch[];
}

export type AppendResult =
  | { ok: true }
  /** A newer fence exists: stop reading the journal, this owner is none any more. */
  | { ok: false; reason: 'fenced' }
  /** The stream is not where this owner left it (Redis lost data): open a new epoch with `begin`. */
  | { ok: false; reason: 'rolled_back' };

/**
 * The short streams between the one reader of a unit and its viewers on all instances. Bounded: a stream keeps about
 * the newest 4 MiB (STREAM_MAX_BYTES in the implementation) and disappears 10 minutes after its last append.
 */
export interface StreamStore {
  /** The head a new owner continues from, claimed for `fence`: appends with an older one are refused from here on. */
  claim(stream: string, fence: number): Promise<StreamHead | null>;
  /** Starts a new epoch for `fence`, dropping what the stream held. */
  begin(stream: string, fence: number, epoch: string): Promise<AppendResult>;
  /** Appends behind `head.seq` of `head.epoch`, atomically checked against fence and head. @throws AppError store_unavailable */
  append(stream: string, fence: number, epoch: string, batch: StreamBatch): Promise<AppendResult>;
  /** Everything the stream holds now; null where there is none. */
  read(stream: string): Promise<StreamTail | null>;
  /**
   * Calls `onBatch` for every batch appended behind `after`, in order, each once; `onReset` where that is not possible
   * (another epoch, trimmed away): the follower then starts over with `read`.
   */
  follow(
    stream: string,
    after: { epoch: string; seq: number },
    handler: { onBatch(batch: StreamBatch): void; onReset(): void },
  ): { stop(): void };
  stop(): Promise<void>;
}
