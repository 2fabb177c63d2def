import assert from 'node:assert/strict';
import type {
  Lease,
  LeaseManager,
  StreamBatch,
  StreamHead,
  StreamStore,
} from '../../server/cluster/types.ts';
import { until } from './until.ts';

/** The batch behind a head. */
export function batchAfter(head: StreamHead, count = 1, body = '{"entries":[]}'): StreamBatch {
  const last = head.seq + count;
  return { epoch: head.epoch, firstSeq: head.seq + 1, count, body, cursor: `cursor ${last}` };
}

export const headOf = (batch: StreamBatch): StreamHead => ({
  epoch: batch.epoch,
  seq: batch.firstSeq + batch.count - 1,
  cursor: batch.cursor,
});

/** Appends batches of these sizes. @returns them */
export async function appendAll(
  store: StreamStore,
  stream: string,
  lease: Lease,
  head: StreamHead,
  counts: readonly number[],
  body?: string,
): Promise<StreamBatch[]> {
  const batches: StreamBatch[] = [];
  let at = head;
  for (const count of counts) {
    const batch = batchAfter(at, count, body);
    assert.equal(await store.append(stream, lease, batch), 'ok');
    batches.push(batch);
    at = headOf(batch);
  }
  return batches;
}

export interface Following {
  batches: StreamBatch[];
  resets: number;
  stop(): void;
}

export function follow(store: StreamStore, stream: string, after: StreamHead | null): Following {
  const following: Following = { batches: [], resets: 0, stop: () => {} };
  const { stop } = store.follow(stream, after, {
    onBatch(batch) {
      assert.equal(following.resets, 0, 'a batch behind a reset');
      following.batches.push(batch);
    },
    onReset() {
      following.resets++;
    },
  });
  following.stop = stop;
  return following;
}

export const gets = (following: Following, batches: readonly StreamBatch[]) =>
  until(() => {
    assert.deepEqual(following.batches, batches);
    return true;
  });

/** One kind of store, with the leases that its owners hold. */
export interface StreamKind {
  leases(): LeaseManager;
  store(): StreamStore;
}

/** Takes the lease of a stream. */
export async function ownStream(leases: LeaseManager, stream: string): Promise<Lease> {
  const lease = await leases.acquire(`log:${stream}`);
  assert.ok(lease);
  return lease;
}

/** Takes the lease of a stream and begins it. */
export async function beginStream(
  leases: LeaseManager,
  store: StreamStore,
  stream: string,
  epoch = 'e1',
): Promise<[Lease, StreamHead]> {
  const lease = await ownStream(leases, stream);
  const head = await store.begin(stream, lease, epoch);
  assert.ok(head !== 'fenced');
  return [lease, head];
}
