import assert from 'node:assert/strict';
import { createFilter, type LogFilter } from '../../../server/logs/filter.ts';
import { type HistoryRequest, historyPage, recentEntries } from '../../../server/logs/history.ts';
import { cursorKey } from '../../../server/logs/journal/cursor.ts';
import {
  createFakeJournal,
  FAKE_TARGET,
  type FakeJournal,
  FIRST_US,
  fakeCursor,
  fakeEntries,
  fakeRecord,
  lineNumbers,
  span,
  writeLines,
} from '../../support/fake-journal.ts';

const never = new AbortController().signal;
const key = (n: number) => cursorKey(fakeCursor(n)) ?? '';
const us = (n: number) => FIRST_US + n * 1000;
const even: LogFilter = (entry) => Number(entry.line.slice(5)) % 2 === 0;

describe('a page of history', () => {
  let journal: FakeJournal;
  const deps = () => ({
    reader: journal.reader,
    target: FAKE_TARGET,
    source: { unit: 'execution' },
    toEntries: fakeEntries,
  });
  const page = async (request: Partial<HistoryRequest>) => {
    const { entries, hasMore, gap } = await historyPage(deps(), { filter: null, ...request }, never);
    return { lines: lineNumbers(entries), hasMore, ...(gap ? { gap } : {}) };
  };

  beforeEach(() => {
    journal = createFakeJournal({ chunk: 7 });
    writeLines(journal, 500);
  });

  const table: [string, Partial<HistoryRequest>, number[], boolean][] = [
    ['the newest, 200 unless told', {}, span(301, 500), true],
    ['the newest of a limit', { limit: 3 }, [498, 499, 500], true],
    ['as much as there is', { limit: 500 }, span(1, 500), false],
    ['one less than there is', { limit: 499 }, span(2, 500), true],
    ['before an entry, without it', { before: key(100), limit: 10 }, span(90, 99), true],
    ['before an entry down to the first', { before: key(6), limit: 10 }, span(1, 5), false],
    ['before the first', { before: key(1), limit: 10 }, [], false],
    ['after an entry, without it', { after: key(100), limit: 10 }, span(101, 110), true],
    ['after an entry up to the last', { after: key(495), limit: 10 }, span(496, 500), false],
    ['after the last', { after: key(500), limit: 10 }, [], false],
    ['since a moment, inclusive', { sinceUs: us(100), limit: 3 }, [100, 101, 102], true],
    ['since a moment between two lines', { sinceUs: us(100) + 1, limit: 3 }, [101, 102, 103], true],
    ['until a moment, inclusive', { untilUs: us(100), limit: 3 }, [98, 99, 100], true],
    ['since and until', { sinceUs: us(10), untilUs: us(12) }, [10, 11, 12], false],
    ['after an entry until a moment', { after: key(10), untilUs: us(12) }, [11, 12], false],
    [
      'after an entry since a later moment',
      { after: key(10), sinceUs: us(400), limit: 3 },
      [400, 401, 402],
      true,
    ],
    ['before an entry since a moment', { before: key(20), sinceUs: us(15), limit: 10 }, span(15, 19), false],
    [
      'before an entry since a moment, over a page',
      { before: key(90), sinceUs: us(15), limit: 10 },
      span(80, 89),
      true,
    ],
    ['before an entry since its own moment', { before: key(20), sinceUs: us(20), limit: 10 }, [], false],
    [
      'before an entry until an earlier moment',
      { before: key(90), untilUs: us(50), limit: 3 },
      [48, 49, 50],
      true,
    ],
    ['filtered, forwards', { after: key(10), filter: even, limit: 3 }, [12, 14, 16], true],
    ['filtered, backwards', { before: key(10), filter: even, limit: 3 }, [4, 6, 8], true],
    ['filtered to nothing', { filter: () => false }, [], false],
  ];
  for (const [title, request, lines, hasMore] of table) {
    it(`[SIO-5] ${title}`, async () => assert.deepEqual(await page(request), { lines, hasMore }));
  }

  it('[SIO-5] paging backwards within bounds comes to an end and meets every line once', async () => {
    const seen: number[] = [];
    let before = key(480);
    for (let pages = 0; pages < 20; pages++) {
      const { lines, hasMore } = await page({ before, sinceUs: us(123), untilUs: us(456), limit: 50 });
      seen.unshift(...lines);
      if (!hasMore) {
        assert.deepEqual(seen, span(123, 456));
        return;
      }
      before = key(lines[0] ?? 0);
    }
    assert.fail('there was always more');
  });

  it('[SIO-5] goes on from the place of an entry that is gone, and says so', async () => {
    journal.vacuum(100);
    const gap = 'journal_vacuumed';
    assert.deepEqual(await page({ after: key(50), limit: 3 }), {
      lines: [101, 102, 103],
      hasMore: true,
      gap,
    });
    assert.deepEqual(await page({ after: key(101), limit: 1 }), { lines: [102], hasMore: true });
    journal.vacuum(500);
    assert.deepEqual(await page({ after: key(50), limit: 3 }), { lines: [], hasMore: false, gap });
  });

  it('[SIO-5] a page of long lines ends early, and the next goes on there', async () => {
    journal = createFakeJournal({ chunk: 7 });
    const long = 'x'.repeat(400_000);
    journal.write(span(1, 20).map((n) => fakeRecord(n, { message: `line ${n} ${long}` })));
    const met: number[] = [];
    for (let before: number | undefined, more = true; more; before = met[0]) {
      const request = before === undefined ? {} : { before: key(before) };
      const { lines, hasMore } = await page({ ...request, limit: 100 });
      assert.ok(lines.length > 0 && lines.length * long.length <= 2_621_440, `${lines.length} lines`);
      met.unshift(...lines);
      more = hasMore;
    }
    assert.deepEqual(met, span(1, 20));
    const huge = createFakeJournal();
    huge.write([fakeRecord(1, { message: `line 1 ${'x'.repeat(3_000_000)}` })]);
    journal = huge;
    assert.deepEqual(await page({}), { lines: [1], hasMore: false });
  });

  it('stops reading once it has enough', async () => {
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
    await page({ limit: 10 });
    assert.ok(read <= 21, `${read} lines read`);
  });

  describe('with entries of several lines', () => {
    // Four entries of five lines: the head, which the filter knows, and four that go with it.
    const filter = (request: Parameters<typeof createFilter>[0]) => createFilter(request);
    const grouped = () => ({
      ...deps(),
      toEntries: (records: Parameters<typeof fakeEntries>[0]) =>
        fakeEntries(records).map((entry) => {
          const n = Number(entry.line.slice(5));
          const level = n % 10 === 1 ? ('error' as const) : ('info' as const);
          return n % 5 === 1 ? { ...entry, level } : { ...entry, continuation: true };
        }),
    });
    const ask = async (request: Partial<HistoryRequest>) => {
      const { entries, ...rest } = await historyPage(grouped(), { filter: null, ...request }, never);
      return { lines: lineNumbers(entries), ...rest };
    };

    for (const chunk of [1, 3, 7, 100]) {
      it(`[SIO-5] a level passes entries with all their lines in both directions, in chunks of ${chunk}`, async () => {
        journal = createFakeJournal({ chunk });
        writeLines(journal, 40);
        const errors = [1, 11, 21, 31].flatMap((first) => span(first, first + 4));
        assert.deepEqual((await ask({ filter: filter({ level: 'error' }) })).lines, errors);
        assert.deepEqual((await ask({ filter: filter({ level: 'error' }), sinceUs: us(1) })).lines, errors);
        assert.deepEqual(
          (await ask({ filter: filter({ grep: 'line 1$' }) })).lines,
          span(1, 5),
          'the pattern finds a head',
        );
        assert.deepEqual((await ask({ filter: filter({ grep: 'line 14$' }) })).lines, [14]);
        assert.deepEqual((await ask({ filter: filter({ grep: 'line 18$', level: 'error' }) })).lines, []);
      });
    }

    it('[SIO-2] leaves the filter with the newest entry, for the live lines behind the page', async () => {
      const goesOn = async (count: number) => {
        journal = createFakeJournal({ chunk: 7 });
        writeLines(journal, count);
        const level = filter({ level: 'error' });
        await recentEntries(grouped(), { lines: 50, filter: level }, never);
        return level?.({ id: 'x', line: 'at frame', continuation: true });
      };
      assert.equal(await goesOn(33), true);
      assert.equal(await goesOn(38), false);
    });

    it('[SIO-5] a page in which nothing matched says where the next one goes on', async () => {
      for (let part = 0; part < 21; part++) writeLines(journal, 10_000);
      const none = await ask({ filter: filter({ grep: 'line 7$' }) });
      assert.deepEqual([none.lines, none.hasMore], [[], true]);
      const before = none.next?.slice(8);
      assert.ok(before);
      const found = await ask({ filter: filter({ grep: 'line 7$' }), before });
      assert.deepEqual([found.lines, found.hasMore, found.next], [[7], false, undefined]);
      const full = await ask({ filter: filter({ grep: 'line [1-5]$' }), before: key(50), limit: 2 });
      assert.deepEqual([full.lines, full.hasMore, full.next?.slice(8)], [[4, 5], true, key(4)]);
    });
  });

  it('[SIO-2] the newest lines, oldest first, also through a filter', async () => {
    const recent = async (lines: number, filter: LogFilter | null) =>
      recentEntries(deps(), { lines, filter }, never).then(({ entries, newest }) => ({
        lines: lineNumbers(entries),
        newest: newest === null ? null : newest.slice(8),
      }));
    assert.deepEqual(await recent(3, null), { lines: [498, 499, 500], newest: key(500) });
    assert.deepEqual(await recent(3, even), { lines: [496, 498, 500], newest: key(500) });
    const odd: LogFilter = (entry) => !even(entry);
    assert.deepEqual(await recent(2, odd), { lines: [497, 499], newest: key(500) });
    assert.deepEqual(await recent(2, () => false), { lines: [], newest: key(500) });
    journal = createFakeJournal();
    assert.deepEqual(await recent(2, odd), { lines: [], newest: null });
  });
});
