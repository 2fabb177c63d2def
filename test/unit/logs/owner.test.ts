import assert from 'node:assert/strict';
import type {
  AppendResult,
  Lease,
  StreamBatch,
  StreamHead,
  StreamStore,
} from '../../../server/cluster/types.ts';
import { AppError } from '../../../server/core/errors.ts';
import { decodeBatch } from '../../../server/logs/entry.ts';
import { ownStream } from '../../../server/logs/owner.ts';
import {
  createFakeJournal,
  FAKE_TARGET,
  type FakeJournal,
  fakeCursor,
  fakeEntries,
  fakeRecord,
  lineNumbers,
  span,
  writeLines,
} from '../../support/fake-journal.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { until } from '../../support/until.ts';

/** Between two batches while lines keep coming, in ms. */
const PAUSE_MS = 20;

/** What the store of a test answers; a test replaces single answers. */
interface FakeOwnerStore {
  store: StreamStore;
  head: StreamHead | null;
  batches: StreamBatch[];
  /** Asked before each append; anything but 'ok' is the answer instead. Throwing is the store's failure. */
  onAppend(batch: StreamBatch): AppendResult | Promise<AppendResult>;
  claim: 'fenced' | null;
  begins: string[];
  lines(): number[];
}

function createFakeOwnerStore(): FakeOwnerStore {
  const fake: FakeOwnerStore = {
    head: null,
    batches: [],
    onAppend: () => 'ok',
    claim: null,
    begins: [],
    lines: () => fake.batches.flatMap((batch) => lineNumbers(decodeBatch(batch.body))),
    store: {
      claim: async () => fake.claim ?? fake.head,
      async begin(_stream, _lease, epoch) {
        fake.begins.push(epoch);
        fake.head = { epoch, seq: (fake.head?.seq ?? 1000) + 1, cursor: null };
        return fake.head;
      },
      async append(_stream, _lease, batch) {
        const answer = await fake.onAppend(batch);
        if (answer !== 'ok') return answer;
        assert.equal(batch.epoch, fake.head?.epoch);
        assert.equal(batch.firstSeq, (fake.head?.seq ?? 0) + 1);
        assert.equal(batch.count, decodeBatch(batch.body).length);
        fake.head = { epoch: batch.epoch, seq: batch.firstSeq + batch.count - 1, cursor: batch.cursor };
        fake.batches.push(batch);
        return 'ok';
      },
      read: async () => null,
      follow: () => ({ stop() {} }),
      stop: async () => {},
    },
  };
  return fake;
}

describe('the owner of a stream', () => {
  let fake: FakeOwnerStore;
  let journal: FakeJournal;
  let leaseLost: AbortController;
  let stopping: AbortController;
  let owning: Promise<void>;
  let told: number;

  beforeEach(() => {
    fake = createFakeOwnerStore();
    journal = createFakeJournal();
    leaseLost = new AbortController();
    stopping = new AbortController();
    owning = Promise.resolve();
    told = 0;
  });
  afterEach(async () => {
    stopping.abort();
    await owning.catch(() => {});
    assert.equal(journal.follows(), 0);
  });

  function own(): Promise<void> {
    const lease: Lease = { name: 'log:s', fence: 7, lost: leaseLost.signal, release: async () => {} };
    owning = ownStream(
      {
        stream: 's',
        store: fake.store,
        reader: journal.reader,
        logger: createRecordLogger(),
        source: { unit: 'execution' },
        toEntries: fakeEntries,
        onLines(count) {
          told += count;
        },
      },
      lease,
      FAKE_TARGET,
      stopping.signal,
    );
    owning.catch(() => {});
    return owning;
  }

  it('starts a new stream with the newest 200 lines and follows', async () => {
    writeLines(journal, 500);
    own();
    await until(() => fake.lines().length === 200);
    writeLines(journal, 3);
    await until(() => fake.lines().length === 203);
    assert.deepEqual(fake.lines(), span(301, 503));
    assert.equal(fake.begins.length, 1);
    assert.equal(told, 203);
    assert.equal(fake.batches.at(-1)?.cursor, fakeCursor(503));
  });

  it('[LOG-2] goes on behind the last line of the owner before it', async () => {
    writeLines(journal, 500);
    fake.head = { epoch: 'e1', seq: 4000, cursor: fakeCursor(100) };
    own();
    await until(() => fake.lines().length === 400);
    assert.deepEqual(fake.lines(), span(101, 500));
    assert.deepEqual(fake.begins, []);
    assert.equal(fake.batches[0]?.firstSeq, 4001);
  });

  it('[SIO-4] begins a new epoch where the journal does not hold the last line any more', async () => {
    writeLines(journal, 500);
    journal.vacuum(250);
    fake.head = { epoch: 'e1', seq: 4000, cursor: fakeCursor(100) };
    own();
    await until(() => fake.lines().length === 250);
    assert.deepEqual(fake.lines(), span(251, 500));
    assert.equal(fake.begins.length, 1);
  });

  it('sends a line after a pause at once, and gathers what comes in a rush', async () => {
    own();
    await until(() => journal.follows() === 1);
    writeLines(journal, 1);
    await until(() => fake.batches.length === 1);
    const began = performance.now();
    for (let n = 0; n < 50; n++) {
      writeLines(journal, 2);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => fake.lines().length === 101);
    assert.deepEqual(fake.lines(), span(1, 101));
    const most = 3 + (performance.now() - began) / PAUSE_MS;
    assert.ok(fake.batches.length <= most, `${fake.batches.length} batches for 50 writes`);
  });

  it('[LOG-4] closes a batch at 192 KiB of text, also while the store is slow', async () => {
    const message = (n: number) => `line ${n} ${'x'.repeat(990)}`;
    fake.onAppend = async (): Promise<AppendResult> => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return 'ok';
    };
    own();
    await until(() => journal.follows() === 1);
    journal.write(span(1, 1800).map((n) => fakeRecord(n, { message: message(n) })));
    await until(() => fake.lines().length === 1800);
    assert.deepEqual(fake.lines(), span(1, 1800));
    for (const batch of fake.batches) {
      const chars = decodeBatch(batch.body).reduce((sum, entry) => sum + entry.line.length, 0);
      assert.ok(chars <= 196_608 + 1100, `a batch of ${chars} characters`);
    }
    assert.ok(fake.batches.length <= 40, `${fake.batches.length} batches`);
  });

  it('[LOG-4] closes a batch of empty lines too', async () => {
    own();
    await until(() => journal.follows() === 1);
    journal.write(span(1, 9000).map((n) => fakeRecord(n, { message: '' })));
    await until(() => fake.lines().length === 9000);
    for (const { count } of fake.batches) assert.ok(count <= 3200, `a batch of ${count} lines`);
  });

  it('a line longer than a batch goes alone', async () => {
    own();
    await until(() => journal.follows() === 1);
    const long = `line 1 ${'y'.repeat(200_000)}`;
    journal.write([fakeRecord(1, { message: long }), fakeRecord(2)]);
    await until(() => fake.lines().length === 2);
    assert.deepEqual(
      fake.batches.map(({ count }) => count),
      [1, 1],
    );
  });

  it('does not read on while half a megabyte waits for the store', async () => {
    let open: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      open = resolve;
    });
    fake.onAppend = () => closed.then(() => 'ok' as const);
    journal = createFakeJournal({ chunk: 10 });
    let read = 0;
    const { reader } = journal;
    journal = {
      ...journal,
      reader: {
        async *read(target, query, signal) {
          for await (const records of reader.read(target, query, signal)) {
            read += records.length;
            yield records;
          }
        },
      },
    };
    own();
    await until(() => journal.follows() === 1);
    journal.write(span(1, 3000).map((n) => fakeRecord(n, { message: `line ${n} ${'z'.repeat(1000)}` })));
    await until(() => read > 450);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(read < 700, `${read} lines of 1 kB were read`);
    open();
    await until(() => fake.lines().length === 3000);
    assert.deepEqual(fake.lines(), span(1, 3000));
  });

  it('[LOG-2] keeps what it read while the store is away, and loses nothing', async () => {
    let failures = 4;
    fake.onAppend = (batch) => {
      if (batch.firstSeq > 1100 && failures-- > 0) throw new AppError('store_unavailable');
      return 'ok';
    };
    writeLines(journal, 100);
    own();
    await until(() => fake.lines().length === 100);
    for (let n = 0; n < 20; n++) {
      writeLines(journal, 5);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(() => fake.lines().length === 200);
    assert.deepEqual(fake.lines(), span(1, 200));
    assert.equal(fake.begins.length, 1);
  });

  it('[LOG-2] opens a new epoch where the store has lost data, and repeats the batch there', async () => {
    let lost = false;
    fake.onAppend = (batch) => {
      if (lost || batch.count !== 7) return 'ok';
      lost = true;
      return 'rolled_back';
    };
    own();
    await until(() => journal.follows() === 1);
    writeLines(journal, 5);
    await until(() => fake.lines().length === 5);
    writeLines(journal, 7);
    await until(() => fake.lines().length === 12);
    assert.deepEqual(fake.lines(), span(1, 12));
    assert.equal(fake.begins.length, 2);
    assert.equal(new Set(fake.batches.map(({ epoch }) => epoch)).size, 2);
  });

  it('[LOG-2] ends at once when a newer owner exists, and writes nothing more', async () => {
    let asked = 0;
    fake.onAppend = (batch) => {
      if (batch.count !== 3) return 'ok';
      asked++;
      return 'fenced';
    };
    own();
    await until(() => journal.follows() === 1);
    writeLines(journal, 5);
    await until(() => fake.lines().length === 5);
    writeLines(journal, 3);
    await owning;
    assert.equal(asked, 1);
    assert.deepEqual(fake.lines(), span(1, 5));
  });

  it('does not start where the lease is gone already', async () => {
    fake.claim = 'fenced';
    await own();
    assert.deepEqual(journal.queries, []);
  });

  it('ends when the lease is lost while the store is away', async () => {
    fake.onAppend = () => {
      throw new AppError('store_unavailable');
    };
    writeLines(journal, 1);
    own();
    await until(() => journal.queries.length === 1);
    leaseLost.abort();
    await owning;
    assert.deepEqual(fake.lines(), []);
  });

  it('[RUN-5] appends what it has read before it gives the stream back, and ends although lines wait', async () => {
    journal = createFakeJournal({ slowEndMs: 60 });
    own();
    await until(() => journal.follows() === 1);
    writeLines(journal, 1);
    await until(() => fake.batches.length === 1);
    // Right behind a batch: these wait for the next one when the end comes.
    writeLines(journal, 4);
    await until(() => journal.newest() === 5);
    await new Promise((resolve) => setImmediate(resolve));
    stopping.abort();
    await owning;
    assert.deepEqual(fake.lines(), span(1, 5));
  });

  it('[LOG-2] never leaves a hole: what follows a batch that could not be stored is not stored either', async () => {
    let broken = false;
    fake.onAppend = async (batch): Promise<AppendResult> => {
      if (broken || batch.count !== 2) return 'ok';
      broken = true;
      await new Promise((resolve) => setTimeout(resolve, 30));
      throw new Error('Redis refused a command: WRONGTYPE');
    };
    own();
    await until(() => journal.follows() === 1);
    writeLines(journal, 1);
    await until(() => fake.batches.length === 1);
    writeLines(journal, 2);
    await until(() => broken);
    writeLines(journal, 3);
    await owning;
    assert.deepEqual(fake.lines(), [1]);
  });

  it('fails with what the journal says, and keeps what was read before', async () => {
    const failure = new AppError('ssh_closed');
    journal.failNext(failure);
    await assert.rejects(own(), failure);
    const { reader } = journal;
    journal = {
      ...journal,
      reader: {
        async *read(target, query, signal) {
          for await (const records of reader.read(target, query, signal)) {
            yield records;
            if (query.follow) throw failure;
          }
        },
      },
    };
    writeLines(journal, 9);
    await assert.rejects(own(), failure);
    assert.deepEqual(fake.lines(), span(1, 9));
  });
});
