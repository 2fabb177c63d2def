import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  CLEAN,
  checkHistory,
  type HistoryEvent,
  percentile,
  type Truth,
} from '../../../scripts/chaos/checker.ts';

/** A truth of `length` lines that are numbered by their places. */
function truthOf(length: number, startBy = 0): Truth {
  return { length, startBy, placeOf: (line) => (line >= 0 && line < length ? line : undefined) };
}

/** A history of single lines; `null` is a notice. */
function historyOf(lines: readonly (number | null)[]): HistoryEvent[] {
  return lines.map((line) =>
    line === null ? { kind: 'gap', reason: 'journal_vacuumed' } : { kind: 'lines', first: line, last: line },
  );
}

/** Joins neighbours into runs, as viewers keep them. */
function inRuns(lines: readonly (number | null)[]): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  for (const event of historyOf(lines)) {
    const last = events.at(-1);
    if (event.kind === 'lines' && last?.kind === 'lines' && last.last + 1 === event.first)
      last.last = event.last;
    else events.push(event);
  }
  return events;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

describe('chaos checker', () => {
  const size = fc.integer({ min: 1, max: 60 });

  it('finds nothing wrong in what is right, from whichever line in time a viewer began', () => {
    fc.assert(
      fc.property(size, fc.nat(), (length, n) => {
        const start = n % length;
        const verdict = checkHistory(inRuns(range(start, length)), truthOf(length, start));
        assert.deepEqual(verdict, { ...CLEAN, seen: length - start });
      }),
    );
  });

  it('counts every line left out, silent or announced, and each hole once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.boolean(),
        (kept, announced) => {
          const lines: (number | null)[] = [];
          let holes = 0;
          kept.forEach((keep, n) => {
            const first = !keep && (n === 0 || kept[n - 1]);
            if (first && kept.slice(n).includes(true)) {
              holes++;
              if (announced) lines.push(null);
            }
            if (keep) lines.push(n);
          });
          const missing = kept.filter((keep) => !keep).length;
          // What is missing at the end can only be silent: a notice stands before the line behind it.
          const tail = kept.includes(true) ? kept.length - 1 - kept.lastIndexOf(true) : kept.length;
          const verdict = checkHistory(inRuns(lines), truthOf(kept.length));
          assert.equal(verdict.lost, announced ? tail : missing);
          assert.equal(verdict.announcedLines, announced ? missing - tail : 0);
          assert.equal(verdict.silentGaps, (announced ? 0 : holes) + (tail > 0 ? 1 : 0));
          assert.equal(verdict.announcedGaps, announced ? holes : 0);
          assert.equal(verdict.duplicated + verdict.reordered + verdict.invented, 0);
        },
      ),
    );
  });

  it('counts every line seen again, wherever', () => {
    fc.assert(
      fc.property(size, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 10 }), (length, copies) => {
        const lines = range(0, length);
        for (const [from, to] of copies) {
          const at = from % lines.length;
          const line = lines[at] ?? 0;
          // Behind its first place, so that the copy comes second.
          lines.splice(at + 1 + (to % (lines.length - at)), 0, line);
        }
        const verdict = checkHistory(inRuns(lines), truthOf(length));
        assert.deepEqual(verdict, { ...CLEAN, seen: length, duplicated: copies.length });
      }),
    );
  });

  it('calls a line that comes late reordered, and not lost', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.nat(), (length, from, by) => {
        const at = from % (length - 1);
        const lines = range(0, length);
        const [late = 0] = lines.splice(at, 1);
        lines.splice(at + 1 + (by % (length - 1 - at)), 0, late);
        const verdict = checkHistory(inRuns(lines), truthOf(length));
        assert.equal(verdict.reordered, 1);
        assert.equal(verdict.lost, 0);
        assert.equal(verdict.seen, length);
      }),
    );
  });

  it('never forgives: any history but the truth is found fault with, and seen and lost make up the truth', () => {
    const line = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 0, max: 11 }) }, fc.constant(null));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const verdict = checkHistory(inRuns(lines), truthOf(10));
        const right = JSON.stringify(lines.filter((one) => one !== null)) === JSON.stringify(range(0, 10));
        const { lost, duplicated, reordered, invented, announcedLines, seen } = verdict;
        assert.equal(lost + duplicated + reordered + invented + announcedLines === 0, right);
        assert.equal(seen + lost + announcedLines, 10);
        assert.equal(invented, lines.filter((one) => one !== null && one > 9).length);
        assert.deepEqual(checkHistory(historyOf(lines), truthOf(10)), verdict);
      }),
      { numRuns: 2000 },
    );
  });

  it('holds a viewer to the line it had to begin with', () => {
    const verdict = checkHistory(inRuns(range(5, 9)), truthOf(9, 3));
    assert.equal(verdict.lost, 2);
    assert.equal(checkHistory([], truthOf(9, 3)).lost, 6);
  });

  it('takes percentiles by the nearest rank', () => {
    assert.equal(percentile([4, 1, 3, 2], 0.5), 2);
    assert.equal(percentile([4, 1, 3, 2], 0.99), 4);
    assert.ok(Number.isNaN(percentile([], 0.5)));
  });
});
