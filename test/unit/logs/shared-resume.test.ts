import assert from 'node:assert/strict';
import type { ResumeEvent, ResumePoint } from '../../../server/logs/journal/resume.ts';
import { createSharedResume, type SharedEvent } from '../../../server/logs/shared-resume.ts';
import type { LogEntry } from '../../../shared/log-entry.ts';

describe('shared reads of the journal behind one point', () => {
  const point: ResumePoint = { key: 'here', journal: null };
  const record = (n: number, chars = 10) => ({
    cursor: String(n),
    realtimeUs: n,
    message: `${n} `.padEnd(chars, 'x'),
    extra: {},
  });
  const numbers = (event: SharedEvent) =>
    event.kind === 'gap' ? [event.reason] : event.entries().map(({ line }) => Number.parseInt(line, 10));

  /** A resume whose reads give `events`, and what became of them. */
  function setUp(events: ResumeEvent[], failure?: Error) {
    const seen = { reads: 0, ended: 0, parsed: 0 };
    const resume = createSharedResume({
      async *read(_point, signal) {
        seen.reads++;
        try {
          for (const event of events) {
            await new Promise((resolve) => setImmediate(resolve));
            if (signal.aborted) return;
            yield event;
          }
          if (failure) throw failure;
        } finally {
          seen.ended++;
        }
      },
      toEntries(records) {
        seen.parsed += records.length;
        return records.map(({ message, cursor }): LogEntry => ({ id: cursor, line: message }));
      },
    });
    return { resume, seen };
  }

  async function collect(reading: AsyncGenerator<SharedEvent>): Promise<(number | string)[]> {
    const found: (number | string)[] = [];
    for await (const event of reading) found.push(...numbers(event));
    return found;
  }

  const batches = (count: number, chars?: number): ResumeEvent[] =>
    Array.from({ length: count }, (_, n) => ({ kind: 'records', records: [record(n, chars)] }));

  it('[LOG-2] reads and parses once for all who stand there, and each gets everything in order', async () => {
    const { resume, seen } = setUp([{ kind: 'gap', reason: 'journal_vacuumed' }, ...batches(20)]);
    const signal = new AbortController().signal;
    const all = await Promise.all(Array.from({ length: 30 }, () => collect(resume(point, signal))));
    for (const found of all)
      assert.deepEqual(found, ['journal_vacuumed', ...Array.from({ length: 20 }, (_, n) => n)]);
    assert.deepEqual(seen, { reads: 1, ended: 1, parsed: 20 });
  });

  it('gives the very same chunk to all, so that it is encoded once', async () => {
    const { resume } = setUp(batches(1));
    const signal = new AbortController().signal;
    const [one, two] = [resume(point, signal), resume(point, signal)];
    const [first, second] = [(await one.next()).value, (await two.next()).value] as SharedEvent[];
    assert.ok(first?.kind === 'records' && second?.kind === 'records');
    assert.equal(first.chunk(), second.chunk());
    await Promise.all([one.return(undefined), two.return(undefined)]);
  });

  it('[LOG-4] ends for one who falls behind the window, and holds nobody else up', async () => {
    const { resume } = setUp(batches(8, 300_000));
    const signal = new AbortController().signal;
    const slow = resume(point, signal);
    assert.deepEqual(numbers((await slow.next()).value as SharedEvent), [0]);
    assert.equal((await collect(resume(point, signal))).length, 8);
    assert.equal((await slow.next()).done, true);
  });

  it('lets one who comes when the beginning is gone read alone', async () => {
    const { resume, seen } = setUp(batches(8, 300_000));
    const signal = new AbortController().signal;
    const early = resume(point, signal);
    for (let n = 0; n < 6; n++) await early.next();
    assert.equal((await collect(resume(point, signal))).length, 8);
    assert.equal(seen.reads, 2);
    await early.return(undefined);
  });

  it('[LOG-5] ends the read when the last one leaves, not before', async () => {
    const { resume, seen } = setUp(batches(50));
    const leaving = new AbortController();
    const gone = collect(resume(point, leaving.signal));
    const stays = resume(point, new AbortController().signal);
    await stays.next();
    leaving.abort();
    await gone;
    assert.deepEqual(numbers((await stays.next()).value as SharedEvent), [1]);
    assert.equal(seen.ended, 0);
    await stays.return(undefined);
    assert.equal(seen.ended, 1);
  });

  it('a failure reaches everyone, and the next one starts anew', async () => {
    const failure = new Error('gone');
    const { resume, seen } = setUp(batches(2), failure);
    const signal = new AbortController().signal;
    const outcomes = await Promise.allSettled([
      collect(resume(point, signal)),
      collect(resume(point, signal)),
    ]);
    for (const outcome of outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason, failure);
    await assert.rejects(collect(resume(point, signal)), failure);
    assert.equal(seen.reads, 2);
  });
});
