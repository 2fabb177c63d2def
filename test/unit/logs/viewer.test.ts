import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { createFilter, type LogFilter } from '../../../server/logs/filter.ts';
import { entryAt, recentEntries } from '../../../server/logs/history.ts';
import { resumeJournal } from '../../../server/logs/journal/resume.ts';
import { createSharedResume } from '../../../server/logs/shared-resume.ts';
import {
  createViewer,
  type Viewer,
  type ViewerSource,
  type ViewerStart,
} from '../../../server/logs/viewer.ts';
import {
  createFakeJournal,
  FAKE_TARGET,
  type FakeJournal,
  fakeCodec,
  fakeCursor,
  fakeEntries,
  fakeRecord,
  lineNumbers,
  span,
  writeLines,
} from '../../support/fake-journal.ts';
import { createFakeTail, type FakeTail } from '../../support/fake-tail.ts';
import { until } from '../../support/until.ts';

const id = (n: number) => fakeCodec.encode(fakeCursor(n));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A connection that remembers what it was given. */
function createFakeSink() {
  const sink = {
    got: [] as (number | 'gap')[],
    gaps: [] as { from: string | null; to: string | null; reason: string }[],
    failures: [] as AppError[],
    bytes: 0,
    ends: 0,
    deliver(chunk: { entries(): readonly { id: string; line: string }[] }) {
      sink.got.push(...lineNumbers([...chunk.entries()]));
    },
    gap(gap: { from: string | null; to: string | null; reason: string }) {
      sink.got.push('gap');
      sink.gaps.push(gap);
    },
    failed(error: AppError) {
      sink.failures.push(error);
    },
    backlog: () => sink.bytes,
    ended() {
      sink.ends++;
    },
  };
  return sink;
}

describe('the viewer of a stream', () => {
  let journal: FakeJournal;
  let tail: FakeTail;
  let sink: ReturnType<typeof createFakeSink>;
  let viewer: Viewer | undefined;
  let ended: Viewer[];
  let toEntries: typeof fakeEntries;

  beforeEach(() => {
    toEntries = fakeEntries;
    journal = createFakeJournal({ chunk: 5 });
    tail = createFakeTail();
    sink = createFakeSink();
    viewer = undefined;
    ended = [];
  });
  afterEach(async () => {
    viewer?.stop();
    viewer?.stop();
    await until(() => tail.watchers === 0);
  });

  function view(start: ViewerStart, filter: LogFilter | null = null): Viewer {
    const unit = { unit: 'execution' };
    const never = new AbortController().signal;
    const history = { reader: journal.reader, target: FAKE_TARGET, source: unit, toEntries };
    const source: ViewerSource = {
      tail,
      crowded: () => false,
      recent: (lines, wanted) => recentEntries(history, { lines, filter: wanted }, never),
      entryAt: (point, signal) => entryAt(history, point, signal),
      resume: createSharedResume({
        read: (point, signal) => resumeJournal(journal.reader, FAKE_TARGET, { source: unit, point }, signal),
        toEntries,
      }),
      onEnd: (one) => ended.push(one),
    };
    viewer = createViewer(source, { sink, start, filter });
    return viewer;
  }

  const gets = (expected: (number | 'gap')[]) =>
    until(() => {
      assert.deepEqual(sink.got, expected);
      return true;
    });

  it('[SIO-2] begins with the newest lines of the tail, without the journal, and goes on live', async () => {
    tail.push(1, 30);
    tail.push(31, 60);
    assert.deepEqual(await view({ tail: 50 }).started, { recovered: true });
    await gets(span(11, 60));
    tail.push(61, 63);
    await gets(span(11, 63));
    assert.deepEqual(journal.queries, []);
  });

  it('[SIO-2] begins with the journal where the tail holds too little, and meets the tail', async () => {
    writeLines(journal, 100);
    tail.push(95, 100);
    await view({ tail: 20 }).started;
    await gets(span(81, 100));
    writeLines(journal, 3);
    tail.push(101, 103);
    await gets(span(81, 103));
  });

  it('[SIO-2] begins with nothing old where no line is asked for', async () => {
    writeLines(journal, 20);
    await view({ tail: 0 }).started;
    tail.push(11, 20);
    writeLines(journal, 2);
    tail.push(21, 22);
    await gets([21, 22]);
  });

  it('waits at an empty journal for the first line', async () => {
    await view({ tail: 50 }).started;
    writeLines(journal, 1);
    tail.push(1, 1);
    await gets([1]);
  });

  it('[SIO-4] resumes within the tail, from the middle of a batch', async () => {
    tail.push(1, 10);
    tail.push(11, 20);
    assert.deepEqual(await view({ after: id(7) }).started, { recovered: true });
    await gets(span(8, 20));
    assert.deepEqual(journal.queries, []);
  });

  it('[SIO-4] resumes behind the newest line with nothing', async () => {
    tail.push(1, 10);
    await view({ after: id(10) }).started;
    tail.push(11, 11);
    await gets([11]);
  });

  it('[SIO-4] resumes through the journal into the tail without a seam', async () => {
    writeLines(journal, 100);
    tail.push(61, 70);
    tail.push(71, 100);
    assert.deepEqual(await view({ after: id(13) }).started, { recovered: true });
    await gets(span(14, 100));
    tail.push(101, 101);
    await gets(span(14, 101));
    assert.deepEqual(sink.gaps, []);
  });

  it('[SIO-4] resumes at the end of the journal before the stream has come so far', async () => {
    writeLines(journal, 20);
    await view({ after: id(13) }).started;
    await gets(span(14, 20));
    tail.push(11, 20);
    tail.push(21, 22);
    await gets(span(14, 22));
  });

  it('[SIO-4] says that lines are missing, before the first that is there', async () => {
    writeLines(journal, 40);
    journal.vacuum(30);
    tail.push(38, 40);
    assert.deepEqual(await view({ after: id(13) }).started, { recovered: false });
    await gets(['gap', ...span(31, 40)]);
    assert.deepEqual(sink.gaps, [{ from: id(13), to: id(31), reason: 'journal_vacuumed' }]);
  });

  it('[SIO-4] says so where the journal holds nothing at all any more', async () => {
    writeLines(journal, 20);
    journal.vacuum(20);
    assert.deepEqual(await view({ after: id(13) }).started, { recovered: false });
    await gets(['gap']);
    assert.deepEqual(sink.gaps, [{ from: id(13), to: null, reason: 'journal_vacuumed' }]);
    tail.push(21, 22);
    await gets(['gap', 21, 22]);
  });

  it('[SIO-4] says so where the host has another journal now', async () => {
    journal.write(span(20, 22).map((n) => fakeRecord(n, { journal: 'second' })));
    assert.deepEqual(await view({ after: id(13) }).started, { recovered: false });
    await gets(['gap', 20, 21, 22]);
    assert.equal(sink.gaps[0]?.reason, 'journal_replaced');
  });

  it('[SIO-4] passes on the gap of the tail, with both its ends', async () => {
    tail.push(1, 5);
    await view({ tail: 5 }).started;
    await gets(span(1, 5));
    tail.gap();
    tail.push(9, 10);
    await gets([...span(1, 5), 'gap', 9, 10]);
    assert.equal(sink.gaps[0]?.from, id(5));
  });

  it('shows only what the filter passes, old and new, and resumes behind what it hid', async () => {
    writeLines(journal, 100);
    const filter = createFilter({ grep: '[05]$' });
    tail.push(91, 100);
    await view({ tail: 4 }, filter).started;
    await gets([85, 90, 95, 100]);
    writeLines(journal, 12);
    tail.push(101, 112);
    await gets([85, 90, 95, 100, 105, 110]);
    viewer?.stop();
    sink.got = [];
    await view({ after: id(62) }, filter).started;
    await gets([65, 70, 75, 80, 85, 90, 95, 100, 105, 110]);
  });

  it('[SIO-2] [LOG-2] misses nothing that passes while it looks through old lines of which none does', async () => {
    writeLines(journal, 40);
    tail.push(31, 40);
    view({ tail: 5 }, createFilter({ grep: 'line 4[1-9]$' }));
    await until(() => journal.queries.length === 1);
    await turn();
    for (let n = 41; n <= 60; n++) {
      writeLines(journal, 1);
      tail.push(n, n);
    }
    // So much came that the tail begins behind all of it.
    tail.keep(5);
    await gets(span(41, 49));
  });

  it('[SIO-4] [SIO-2] goes on in the midst of an entry of several lines with what belongs to it', async () => {
    // Entries of five lines, of which the filter knows the first.
    const headOf = (n: number) => n - ((n - 1) % 5);
    toEntries = (records) =>
      fakeEntries(records).map((entry) => {
        const line = Number(entry.line.slice(5));
        return line === headOf(line) ? entry : { ...entry, continuation: true };
      });
    const passing = [1, 11, 21, 41];
    writeLines(journal, 30);
    for (const n of [1, 2, 5, 6, 8, 10, 11, 13, 15, 16, 30]) {
      sink.got = [];
      viewer?.stop();
      tail = createFakeTail();
      await view({ after: id(n) }, createFilter({ grep: 'line (1|11|21|41)$' })).started;
      if (journal.newest() === 30) writeLines(journal, 11);
      tail.push(31, 41);
      await gets(span(n + 1, 41).filter((line) => passing.includes(headOf(line))));
    }
  });

  it('[LOG-4] is not served while its connection takes nothing, and goes on where it was', async () => {
    writeLines(journal, 30);
    tail.push(1, 10);
    await view({ tail: 10 }).started;
    await gets(span(1, 10));
    sink.bytes = 1_048_576;
    for (let n = 11; n <= 30; n++) tail.push(n, n);
    await turn();
    assert.deepEqual(sink.got, span(1, 10));
    sink.bytes = 300_000;
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.deepEqual(sink.got, span(1, 10));
    sink.bytes = 0;
    await gets(span(1, 30));
    assert.deepEqual(journal.queries, []);
  });

  it('[LOG-4] catches up from the journal where the tail has moved past it meanwhile', async () => {
    writeLines(journal, 200);
    tail.push(1, 10);
    await view({ tail: 10 }).started;
    await gets(span(1, 10));
    sink.bytes = 2_000_000;
    for (let n = 11; n <= 200; n++) tail.push(n, n);
    tail.keep(20);
    await turn();
    sink.bytes = 0;
    await gets(span(1, 200));
    assert.equal(journal.queries.length, 1);
    assert.deepEqual(sink.gaps, []);
  });

  it('[LOG-4] sees a gap where the journal has moved past it too', async () => {
    writeLines(journal, 200);
    tail.push(1, 10);
    await view({ tail: 10 }).started;
    await gets(span(1, 10));
    sink.bytes = 2_000_000;
    for (let n = 11; n <= 200; n++) tail.push(n, n);
    tail.keep(20);
    journal.vacuum(150);
    sink.bytes = 0;
    await gets([...span(1, 10), 'gap', ...span(151, 200)]);
    assert.deepEqual(sink.gaps, [{ from: id(10), to: id(151), reason: 'journal_vacuumed' }]);
  });

  it('[LOG-4] holds the journal back too while its connection takes nothing', async () => {
    writeLines(journal, 200);
    sink.bytes = 2_000_000;
    view({ after: id(3) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(sink.got, []);
    sink.bytes = 0;
    await gets(span(4, 200));
  });

  it('[LOG-2] tries again what failed for a passing reason, and tells it once', async () => {
    writeLines(journal, 20);
    journal.failNext(new AppError('ssh_closed'), new AppError('ssh_closed'));
    view({ after: id(13) });
    await gets(span(14, 20));
    assert.deepEqual(
      sink.failures.map(({ code }) => code),
      ['ssh_closed'],
    );
  });

  it('ends with an error that will not pass', async () => {
    journal.failNext(new AppError('journal_permission'));
    const refused = (error: unknown) => error instanceof AppError && error.code === 'journal_permission';
    await assert.rejects(view({ after: id(13) }).started, refused);
    await until(() => sink.failures.length === 1);
    assert.deepEqual([sink.ends, ended], [1, [viewer]]);
  });

  it('is given nothing after its end, whatever it was doing', async () => {
    writeLines(journal, 50);
    const { started } = view({ after: id(1) });
    viewer?.stop();
    tail.push(41, 50);
    await assert.rejects(started);
    assert.deepEqual([sink.ends, ended], [1, [viewer]]);
    for (let n = 0; n < 10; n++) await turn();
    assert.deepEqual(sink.got, []);
    assert.deepEqual(sink.failures, []);
  });

  it('[LOG-2] sees every line once and in order from wherever it starts, however tail and journal go on', async () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('write', 'push', 'push', 'keep', 'turn', 'turn'),
        n: fc.integer({ min: 1, max: 9 }),
      }),
      { maxLength: 30, size: 'max' },
    );
    const starts = fc.oneof(
      fc.record({ after: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ tail: fc.integer({ min: 1, max: 20 }) }),
    );
    const behinds = fc.integer({ min: 0, max: 20 });
    /** One of so many lines passes; of 1 there is no filter. */
    const shares = fc.constantFrom(1, 2, 7, 30);
    await fc.assert(
      fc.asyncProperty(steps, starts, behinds, shares, async (plan, start, behind, share) => {
        journal = createFakeJournal({ chunk: 4 });
        tail = createFakeTail();
        sink = createFakeSink();
        writeLines(journal, 20);
        let next = 21 - behind;
        const push = (count: number) => {
          const to = Math.min(journal.newest(), next + count - 1);
          if (to >= next) tail.push(next, to);
          next = Math.max(next, to + 1);
        };
        const first = 'after' in start ? start.after + 1 : null;
        const passes = (n: number) => n % share === 0;
        const filter: LogFilter | null = share === 1 ? null : ({ line }) => passes(Number(line.slice(5)));
        view('after' in start ? { after: id(start.after) } : start, filter);
        for (const { kind, n } of plan) {
          if (kind === 'write') writeLines(journal, n);
          else if (kind === 'push') push(n);
          else if (kind === 'keep') tail.keep(n);
          else for (let turns = 0; turns < n; turns++) await turn();
        }
        // Until the viewer is at the end, each line comes with a change of the tail, as they do.
        do writeLines(journal, 1);
        while (!passes(journal.newest()));
        while (next <= journal.newest()) push(9);
        await until(() => sink.got.at(-1) === journal.newest(), 4000);
        viewer?.stop();
        const from = first ?? Number(sink.got[0]);
        assert.deepEqual(sink.got, span(from, journal.newest()).filter(passes));
      }),
      { numRuns: 150 },
    );
  });
});
