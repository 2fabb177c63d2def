/** What makes several instances one. Each has a Redis form and an in-memory twin, held to one contract test suite. */

/** A right that one instance holds at a time. `fence` grows with every holder, also over a store that lost its data. */
export interface Lease {
  readonly name: string;
  readonly fence: number;
  /** Aborts when the lease is lost: expired, taken over, or released. */
  readonly lost: AbortSignal;
  /** Gives it back at once so that another instance need not wait. Idempotent, never rejects. */
  release(): Promise<void>;
}

export interface LeaseManager {
  /** Takes the lease if it is free; null if another holder has it. @throws AppError store_unavailable */
  acquire(name: string): Promise<Lease | null>;
  /** Releases all leases held here. */
  stop(): Promise<void>;
}

/** Lines of one append, in the order of the journal, already encoded once for every viewer. */
export interface StreamBatch {
  epoch: string;
  /** Sequence number of the first line; the lines count up from it without holes. */
  firstSeq: number;
  count: number;
  /** The batch as JSON object text `{...,"entries":[...]}`: the same bytes go to every batch viewer. */
  body: string;
  /** Journal cursor of the last line: where a new owner goes on. */
  cursor: string;
}

/** What a stream is at one moment. `epoch` changes when a stream had to begin anew (Redis came back empty or older). */
export interface StreamHead {
  epoch: string;
  /** Sequence number of the newest line; one less than the first line's in a stream without lines. */
  seq: number;
  /** Journal cursor of the newest line; null in a stream without lines. */
  cursor: string | null;
}

export interface StreamTail extends StreamHead {
  /** The batches still kept, oldest first. */
  batches: StreamBatch[];
}

export type AppendResult =
  | 'ok'
  /** A newer owner exists: stop reading the journal. */
  | 'fenced'
  /** The stream is not where this owner left it (the store lost data): open a new epoch with `begin`. */
  | 'rolled_back';

/** Bytes of entries a stream keeps; older batches are dropped. */
export const STREAM_MAX_BYTES = 2_097_152;
/** Batches a stream keeps, however small. */
export const STREAM_MAX_BATCHES = 4000;
/** A stream disappears this long after its owner last touched it, in ms. */
export const STREAM_TTL_MS = 60_000;

/**
 * The short streams between the one reader of a unit and its viewers on all instances. Whoever comes after a stream has
 * disappeared starts a new one: the journal on the host, not the stream, is what nothing gets lost from.
 * Sequence numbers grow over epochs too, so that a follower never waits behind a number that cannot come any more.
 */
export interface StreamStore {
  /**
   * Takes a stream over: appends under an older lease are refused from here on. Called again while holding it, it keeps
   * the stream alive.
   * @returns the head to continue from; null where there is no stream; 'fenced' where the lease is not held any more
   * @throws AppError store_unavailable
   */
  claim(stream: string, lease: Lease): Promise<StreamHead | null | 'fenced'>;
  /**
   * Starts a new epoch, dropping what the stream held. @returns its empty head, or 'fenced'
   * @param above a sequence number that was used already, where one is known: the store may have lost it
   * @throws AppError store_unavailable
   */
  begin(stream: string, lease: Lease, epoch: string, above?: number): Promise<StreamHead | 'fenced'>;
  /**
   * Appends behind `batch.firstSeq - 1` of `batch.epoch`, atomically checked against fence and head. Repeating an append
   * whose answer was lost is harmless.
   * @throws AppError store_unavailable
   */
  append(stream: string, lease: Lease, batch: StreamBatch): Promise<AppendResult>;
  /** Everything the stream holds now; null where there is none. @throws AppError store_unavailable */
  read(stream: string): Promise<StreamTail | null>;
  /**
   * Calls `onBatch` for every batch appended behind `after` (null: there is no stream yet), in order, each once;
   * `onReset` where that is not possible (another epoch, trimmed away), and then nothing more: the follower starts over
   * with `read`. While the store is away it waits.
   */
  follow(
    stream: string,
    after: StreamHead | null,
    handler: { onBatch(batch: StreamBatch): void; onReset(): void },
  ): { stop(): void };
  stop(): Promise<void>;
}
