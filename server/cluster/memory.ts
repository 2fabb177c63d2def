import { steadyNow } from '../core/steady-time.ts';
import {
  type AppendResult,
  type Lease,
  type LeaseManager,
  STREAM_MAX_BATCHES,
  STREAM_MAX_BYTES,
  STREAM_TTL_MS,
  type StreamBatch,
  type StreamHead,
  type StreamStore,
} from './types.ts';

/** Leases of a single instance: whoever asks first has it until it gives it back. */
export function createMemoryLeases(): LeaseManager {
  const held = new Map<string, Lease>();
  let fence = 0;
  return {
    async acquire(name) {
      if (held.has(name)) return null;
      const controller = new AbortController();
      const lease: Lease = {
        name,
        fence: ++fence,
        lost: controller.signal,
        async release() {
          if (held.get(name) === lease) held.delete(name);
          controller.abort();
        },
      };
      held.set(name, lease);
      return lease;
    },
    async stop() {
      await Promise.all([...held.values()].map((lease) => lease.release()));
    },
  };
}

interface MemoryStream {
  fence: number;
  head: StreamHead | null;
  batches: StreamBatch[];
  bytes: number;
  touched: number;
}

type Follower = { after: StreamHead | null; onBatch(batch: StreamBatch): void; onReset(): void };

/** Streams of a single instance. Followers are called in a later tick, as over a network. */
export function createMemoryStreams(deps: { now?: () => number } = {}): StreamStore {
  const now = deps.now ?? steadyNow;
  const streams = new Map<string, MemoryStream>();
  const followers = new Map<string, Set<Follower>>();
  let stopped = false;

  function alive(name: string): MemoryStream | undefined {
    const stream = streams.get(name);
    if (stream && now() - stream.touched > STREAM_TTL_MS) {
      streams.delete(name);
      return undefined;
    }
    return stream;
  }

  /** Hands a follower what it has not seen; drops it where that cannot be done without a hole. */
  function serve(name: string, follower: Follower): void {
    const stream = alive(name);
    if (!stream?.head) return;
    for (const batch of stream.batches) {
      // Its own handler may have stopped it.
      if (!followers.get(name)?.has(follower)) return;
      const { after } = follower;
      const last = batch.firstSeq + batch.count - 1;
      if (after && batch.epoch === after.epoch && last <= after.seq) continue;
      if (!after || batch.epoch !== after.epoch || batch.firstSeq !== after.seq + 1) {
        followers.get(name)?.delete(follower);
        follower.onReset();
        return;
      }
      follower.after = { epoch: batch.epoch, seq: last, cursor: batch.cursor };
      follower.onBatch(batch);
    }
  }

  function announce(name: string): void {
    for (const follower of followers.get(name) ?? []) queueMicrotask(() => !stopped && serve(name, follower));
  }

  return {
    async claim(name, lease) {
      const stream = alive(name);
      if (lease.lost.aborted || (stream && stream.fence > lease.fence)) return 'fenced';
      if (!stream) return null;
      stream.fence = lease.fence;
      stream.touched = now();
      return stream.head;
    },
    async begin(name, lease, epoch, above = 0) {
      const stream = alive(name);
      if (lease.lost.aborted || (stream && stream.fence > lease.fence)) return 'fenced';
      const used = Math.max(stream?.head?.seq ?? 0, above);
      const head = { epoch, seq: Math.max(used + 1, now() * 1000), cursor: null };
      streams.set(name, { fence: lease.fence, head, batches: [], bytes: 0, touched: now() });
      return head;
    },
    async append(name, lease, batch): Promise<AppendResult> {
      const stream = alive(name);
      if (stream && stream.fence > lease.fence) return 'fenced';
      const last = batch.firstSeq + batch.count - 1;
      if (!stream?.head || stream.fence !== lease.fence || stream.head.epoch !== batch.epoch)
        return 'rolled_back';
      if (stream.head.seq === last) return 'ok';
      if (stream.head.seq !== batch.firstSeq - 1) return 'rolled_back';
      stream.head = { epoch: batch.epoch, seq: last, cursor: batch.cursor };
      stream.batches.push(batch);
      stream.bytes += batch.body.length;
      stream.touched = now();
      while (
        stream.batches.length > 1 &&
        (stream.bytes > STREAM_MAX_BYTES || stream.batches.length > STREAM_MAX_BATCHES)
      ) {
        stream.bytes -= stream.batches.shift()?.body.length ?? 0;
      }
      announce(name);
      return 'ok';
    },
    async read(name) {
      const stream = alive(name);
      return stream?.head ? { ...stream.head, batches: [...stream.batches] } : null;
    },
    follow(name, after, handler) {
      const follower: Follower = { after, onBatch: handler.onBatch, onReset: handler.onReset };
      const group = followers.get(name) ?? new Set();
      followers.set(name, group.add(follower));
      queueMicrotask(() => serve(name, follower));
      return {
        stop() {
          group.delete(follower);
          if (group.size === 0 && followers.get(name) === group) followers.delete(name);
        },
      };
    },
    async stop() {
      stopped = true;
      followers.clear();
      streams.clear();
    },
  };
}
