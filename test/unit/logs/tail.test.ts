import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { encodeBatch } from '../../../server/logs/entry.ts';
import { cursorKey } from '../../../server/logs/journal/cursor.ts';
import { resumeJournal } from '../../../server/logs/journal/resume.ts';
import { createTail, type Tail, type TailItem } from '../../../server/logs/tail.ts';
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
import { createFakeStore, type FakeStore } from '../../support/fake-store.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { until } from '../../support/until.ts';

const key = (n: number) => cursorKey(fakeCursor(n)) ?? '';
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A tail over a steered store and journal, and all that ever went through it. */
function createHarness(chunk = 5) {
  const journal = createFakeJournal({ chunk });
  const store = createFakeStore();
  const source = { unit: 'execution' };
  let bridges = 0;
  const tail = createTail({
    stream: 's',
    store,
    logger: createRecordLogger(),
    toEntries: fakeEntries,
    resume(point, signal) {
      bridges++;
      return resumeJournal(journal.reader, FAKE_TARGET, { source, point }, signal);
    },
  });
  const seen: (number | 'gap')[] = [];
  let offset = 0;
  tail.watch({
    tailChanged() {
      for (let item = tail.at(offset); item; item = tail.at(offset)) {
        if (item.kind === 'gap') seen.push('gap');
        else seen.push(...lineNumbers(item.chunk.entries()));
        offset = item.offset + item.count;
      }
    },
  });
  return { journal, store, tail, seen, bridges: () => bridges };
}

function push(store: FakeStore, from: number, to: number): void {
  const records = span(from, to).map((n) => fakeRecord(n));
  store.push({ body: encodeBatch(fakeEntries(records)), count: records.length, cursor: fakeCursor(to) });
}

describe('the tail of a stream', () => {
  let journal: FakeJournal;
  let store: FakeStore;
  let tail: Tail;
  let seen: (number | 'gap')[];
  let bridges: () => number;
  beforeEach(() => {
    ({ journal, store, tail, seen, bridges } = createHarness());
  });
  afterEach(async () => {
    tail.stop();
    await turn();
    assert.equal(store.followers, 0);
  });

  const sees = (expected: (number | 'gap')[]) =>
    until(() => {
      assert.deepEqual(seen, expected);
      return true;
    });

  it('is ready, and empty, where there is no stream yet, and finds it when it comes', async () => {
    await tail.ready;
    assert.equal(tail.end(), 0);
    store.begin();
    push(store, 1, 3);
    await sees([1, 2, 3]);
  });

  it('takes what the stream holds and follows it, without the journal', async () => {
    store.begin();
    push(store, 1, 3);
    push(store, 4, 4);
    await tail.ready;
    push(store, 5, 9);
    await sees(span(1, 9));
    assert.equal(bridges(), 0);
    assert.equal(tail.end(), 9);
    assert.equal(tail.journal(), fakeCursor(9).slice(2, 34));
  });

  it('finds entries by key and items by offset', async () => {
    store.begin();
    push(store, 1, 3);
    push(store, 4, 6);
    await sees(span(1, 6));
    assert.equal(tail.find(key(1)), 1);
    assert.equal(tail.find(key(6)), 6);
    assert.equal(tail.find(key(7)), undefined);
    assert.equal(tail.at(2)?.offset, 0);
    assert.equal(tail.at(3)?.offset, 3);
    assert.equal(tail.at(6), undefined);
    push(store, 7, 7);
    await sees(span(1, 7));
    assert.equal(tail.find(key(7)), 7);
  });

  it('[LOG-2] reads from the journal what the stream dropped before it was seen', async () => {
    writeLines(journal, 40);
    store.begin();
    push(store, 1, 3);
    await sees([1, 2, 3]);
    store.reset();
    push(store, 4, 9);
    push(store, 10, 12);
    push(store, 13, 20);
    store.trim(2);
    await sees(span(1, 20));
    assert.equal(bridges(), 1);
  });

  it('[LOG-2] leaves out what a new epoch repeats, also from the middle of a batch', async () => {
    writeLines(journal, 12);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    store.begin();
    push(store, 2, 4);
    push(store, 5, 9);
    push(store, 10, 12);
    await sees(span(1, 12));
  });

  it('[LOG-2] leaves out what is repeated by an owner far behind', async () => {
    writeLines(journal, 12);
    store.begin();
    push(store, 1, 9);
    await sees(span(1, 9));
    store.lose();
    store.begin();
    for (let n = 1; n <= 12; n++) {
      push(store, n, n);
      await turn();
      await turn();
    }
    await sees(span(1, 12));
  });

  it('[LOG-2] bridges to a new epoch that starts further on', async () => {
    writeLines(journal, 50);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    store.begin();
    push(store, 31, 40);
    await sees(span(1, 40));
    push(store, 41, 50);
    await sees(span(1, 50));
  });

  it('[SIO-4] puts a gap where the journal has lost the lines between', async () => {
    writeLines(journal, 50);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    journal.vacuum(20);
    store.begin();
    push(store, 31, 40);
    await sees([...span(1, 6), 'gap', ...span(21, 40)]);
    const gap = tail.at(6) as TailItem & { kind: 'gap' };
    assert.deepEqual([gap.kind, gap.reason, gap.count], ['gap', 'journal_vacuumed', 1]);
  });

  it('[LOG-2] shows nothing twice where the journal was vacuumed up to the middle of the stream', async () => {
    writeLines(journal, 50);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    store.begin();
    journal.vacuum(34);
    push(store, 31, 36);
    push(store, 37, 40);
    await sees([...span(1, 6), 'gap', ...span(31, 40)]);
    push(store, 41, 50);
    await sees([...span(1, 6), 'gap', ...span(31, 50)]);
  });

  it('[LOG-2] shows nothing twice where the journal holds nothing of the stream any more', async () => {
    writeLines(journal, 50);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    store.begin();
    journal.vacuum(44);
    push(store, 31, 40);
    await until(() => seen.at(-1) === 50 || seen.at(-1) === 40);
    push(store, 45, 50);
    journal.write([fakeRecord(51)]);
    push(store, 51, 51);
    await until(() => seen.at(-1) === 51);
    assert.deepEqual(seen, [...span(1, 6), 'gap', ...span(45, 51)]);
  });

  it('[SIO-4] says so where the host has another journal now', async () => {
    writeLines(journal, 6);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.lose();
    journal.vacuum(6);
    const records = span(20, 22).map((n) => fakeRecord(n, { journal: 'second' }));
    journal.write(records);
    store.begin();
    store.push({
      body: encodeBatch(fakeEntries(records)),
      count: 3,
      cursor: fakeCursor(22, 'second'),
    });
    await sees([...span(1, 6), 'gap', 20, 21, 22]);
    const gap = tail.at(6);
    assert.equal(gap?.kind === 'gap' && gap.reason, 'journal_replaced');
  });

  it('[LOG-2] goes on after the store was away and after the journal could not be read', async () => {
    writeLines(journal, 30);
    store.begin();
    push(store, 1, 6);
    await sees(span(1, 6));
    store.failReads(1);
    journal.failNext(new AppError('ssh_closed'));
    store.lose();
    store.begin();
    push(store, 21, 30);
    await sees(span(1, 30));
  });

  it('[LOG-4] keeps at most 4 MiB, and nothing of what it dropped', async () => {
    store.begin();
    const message = 'z'.repeat(40_000);
    for (let from = 1; from <= 1000; from += 10) {
      const records = span(from, from + 9).map((n) =>
        fakeRecord(n, { message: `line ${n} ${message.slice(0, 4000 * (1 + (n % 10)))}` }),
      );
      store.push({ body: encodeBatch(fakeEntries(records)), count: 10, cursor: fakeCursor(from + 9) });
      store.trim(2);
      await turn();
      if (from % 100 === 1) tail.find(key(from));
    }
    await until(() => tail.end() >= 1000);
    let bytes = 0;
    for (let item = tail.at(tail.begin()); item; item = tail.at(item.offset + item.count))
      if (item.kind === 'lines') bytes += item.chunk.body.length;
    assert.ok(bytes <= 4_194_304 && bytes > 3_500_000, `${bytes} bytes`);
    assert.equal(tail.at(tail.begin() - 1), undefined);
    assert.equal(tail.find(key(1)), undefined);
    assert.equal(tail.find(key(1000)), tail.end());
    assert.deepEqual(seen, span(1, 1000));
  });

  it('stop ends the follow and wakes who waits', async () => {
    await tail.ready;
    let woken = 0;
    const watcher = { tailChanged: () => void woken++ };
    tail.watch(watcher);
    tail.stop();
    assert.equal(woken, 1);
    tail.unwatch(watcher);
    await until(() => store.followers === 0);
  });
});

type Amount = 'write' | 'append' | 'trim' | 'rollBack' | 'repeat' | 'jump' | 'vacuum' | 'turns';
type Step = { kind: Amount; n: number } | { kind: 'lose' | 'reset' };

const amount = (kind: Amount, max: number) =>
  fc.record({ kind: fc.constant(kind), n: fc.integer({ min: 1, max }) });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: amount('write', 12) },
  { weight: 6, arbitrary: amount('append', 6) },
  { weight: 4, arbitrary: amount('turns', 6) },
  { weight: 2, arbitrary: amount('trim', 2) },
  { weight: 1, arbitrary: amount('rollBack', 3) },
  { weight: 1, arbitrary: amount('repeat', 10) },
  { weight: 1, arbitrary: amount('jump', 10) },
  { weight: 1, arbitrary: amount('vacuum', 15) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom<'lose' | 'reset'>('lose', 'reset') }) },
);

/** Lets a whole history run; what came out of the tail, and whether lines were ever removed from the journal. */
async function play(steps: readonly Step[], chunk: number) {
  const { journal, store, tail, seen } = createHarness(chunk);
  let next = 1;
  let oldest = 1;
  const begin = (from: number) => {
    store.begin();
    next = Math.max(oldest, Math.min(from, journal.newest() + 1));
  };
  const append = (count: number) => {
    if (!store.head) begin(next);
    // An owner whose next line is gone from the journal begins anew, as it must.
    if (next < oldest) begin(oldest);
    const to = Math.min(journal.newest(), next + count - 1);
    if (to < next) return;
    push(store, next, to);
    next = to + 1;
  };
  for (const one of steps) {
    if (one.kind === 'write') writeLines(journal, one.n);
    else if (one.kind === 'append') append(one.n);
    else if (one.kind === 'trim') store.trim(one.n);
    else if (one.kind === 'rollBack') {
      store.rollBack(one.n);
      begin(next);
    } else if (one.kind === 'repeat') begin(next - one.n);
    else if (one.kind === 'jump') begin(next + one.n);
    else if (one.kind === 'lose') store.lose();
    else if (one.kind === 'reset') store.reset();
    else if (one.kind === 'vacuum') {
      oldest = Math.max(oldest, Math.min(journal.newest(), oldest + one.n));
      journal.vacuum(oldest - 1);
    } else if (one.kind === 'turns') {
      for (let n = 0; n < one.n; n++) await turn();
    }
  }
  writeLines(journal, 3);
  while (next <= journal.newest()) append(50);
  await until(() => seen.at(-1) === journal.newest(), 3000).catch(() => {});
  for (let n = 0; n < 5; n++) await turn();
  tail.stop();
  return { seen, newest: journal.newest(), vacuumed: oldest > 1 };
}

describe('the tail of a stream, whatever happens', () => {
  const histories = fc.tuple(fc.array(step, { maxLength: 40, size: 'max' }), fc.integer({ min: 1, max: 8 }));

  async function check([steps, chunk]: [Step[], number]): Promise<void> {
    const { seen, newest, vacuumed } = await play(steps, chunk);
    const text = JSON.stringify(seen);
    assert.equal(seen.at(-1), newest, `ends early: ${text}`);
    let last: number | null = null;
    let gap = false;
    for (const item of seen) {
      if (item === 'gap') {
        assert.ok(vacuumed, `a gap although the journal held every line: ${text}`);
        gap = true;
        continue;
      }
      assert.ok(last === null || item > last, `line ${item} behind ${last}: ${text}`);
      assert.ok(last === null || gap || item === last + 1, `no gap before line ${item}: ${text}`);
      last = item;
      gap = false;
    }
  }

  it('[LOG-2] gives the lines of the journal once and in order while the journal keeps them', async () => {
    const kept = histories.map(
      ([steps, chunk]) => [steps.filter(({ kind }) => kind !== 'vacuum'), chunk] as [Step[], number],
    );
    await fc.assert(fc.asyncProperty(kept, check), { numRuns: 500 });
  });

  it('[SIO-4] gives them once and in order also over a vacuumed journal, with a gap wherever lines are missing', async () => {
    await fc.assert(fc.asyncProperty(histories, check), { numRuns: 500 });
  });
});
