import type { StreamBatch, StreamHead, StreamStore } from '../../server/cluster/types.ts';
import { AppError } from '../../server/core/errors.ts';

export interface FakeStore extends Pick<StreamStore, 'read' | 'follow'> {
  /** Appends a batch behind the newest line. */
  push(lines: { body: string; count: number; cursor: string }): void;
  /** Begins an epoch without lines. */
  begin(): void;
  /** Keeps only the newest batches. */
  trim(keep: number): void;
  /** Forgets the newest batches, as a replica does that had not got them. */
  rollBack(batches: number): void;
  /** Forgets everything. */
  lose(): void;
  /** Breaks every follow off. */
  reset(): void;
  /** The next so many reads fail. */
  failReads(count: number): void;
  readonly head: StreamHead | null;
  readonly followers: number;
}

/** A store of one stream that a test steers by hand; followers hear in a later tick. */
export function createFakeStore(): FakeStore {
  let head: StreamHead | null = null;
  let batches: StreamBatch[] = [];
  let epochs = 0;
  let seq = 1000;
  let failing = 0;
  const followers = new Set<{
    after: StreamHead | null;
    handler: Parameters<StreamStore['follow']>[2];
  }>();

  function serve(): void {
    for (const follower of [...followers]) {
      queueMicrotask(() => {
        for (const batch of batches) {
          if (!followers.has(follower)) return;
          const { after, handler } = follower;
          const last = batch.firstSeq + batch.count - 1;
          if (after && last <= after.seq) continue;
          if (!after || batch.epoch !== after.epoch || batch.firstSeq !== after.seq + 1) {
            followers.delete(follower);
            handler.onReset();
            return;
          }
          follower.after = { epoch: batch.epoch, seq: last, cursor: batch.cursor };
          handler.onBatch(batch);
        }
      });
    }
  }

  const store: FakeStore = {
    begin() {
      batches = [];
      seq += 1000;
      head = { epoch: `e${++epochs}`, seq, cursor: null };
    },
    push({ body, count, cursor }) {
      if (!head) throw new Error('no epoch has begun');
      batches = [...batches, { epoch: head.epoch, firstSeq: seq + 1, count, body, cursor }];
      seq += count;
      head = { epoch: head.epoch, seq, cursor };
      serve();
    },
    trim(keep) {
      batches = batches.slice(-keep);
    },
    rollBack(count) {
      batches = batches.slice(0, Math.max(0, batches.length - count));
      const newest = batches.at(-1);
      if (head) {
        head = newest
          ? { epoch: head.epoch, seq: newest.firstSeq + newest.count - 1, cursor: newest.cursor }
          : { epoch: head.epoch, seq: head.seq, cursor: null };
      }
    },
    lose() {
      batches = [];
      head = null;
    },
    reset() {
      for (const follower of [...followers]) {
        followers.delete(follower);
        queueMicrotask(() => follower.handler.onReset());
      }
    },
    failReads(count) {
      failing = count;
    },
    get head() {
      return head;
    },
    get followers() {
      return followers.size;
    },
    async read() {
      if (failing > 0) {
        failing--;
        throw new AppError('store_unavailable');
      }
      return head ? { ...head, batches: [...batches] } : null;
    },
    follow(_stream, after, handler) {
      const follower = { after, handler };
      followers.add(follower);
      serve();
      return { stop: () => void followers.delete(follower) };
    },
  };
  return store;
}
