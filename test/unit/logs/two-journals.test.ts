import assert from 'node:assert/strict';
import { historyPage } from '../../../server/logs/history.ts';
import { cursorKey } from '../../../server/logs/journal/cursor.ts';
import type { JournalRecord } from '../../../server/logs/journal/record.ts';
import { resumeJournal } from '../../../server/logs/journal/resume.ts';
import {
  createFakeJournal,
  FAKE_TARGET,
  FIRST_US,
  fakeEntries,
  fakeRecord,
  lineNumbers,
  span,
} from '../../support/fake-journal.ts';

/** Line `n` of a journal, with the time of line `moment`, as journald stamps what it takes in one turn. */
function stamped(n: number, moment: number, journal: string): JournalRecord {
  const us = FIRST_US + moment * 1000;
  const record = fakeRecord(n, { journal });
  return {
    ...record,
    realtimeUs: us,
    cursor: record.cursor.replace(/;t=[0-9a-f]+/, `;t=${us.toString(16)}`),
  };
}

/**
 * A unit whose service runs as a user with a number from 1000 on: its lines are in that user's journal, those of systemd
 * about it in the system's, and these are the newest.
 */
describe('a unit whose lines are in two journals', () => {
  const source = { unit: 'mevboost' };
  const never = new AbortController().signal;
  /** A burst of 20 lines in one moment, two lines behind it, and what systemd says at the end. */
  const burst = span(2, 21).map((n) => stamped(n, 2, 'of a user'));
  const after = [stamped(22, 22, 'of a user'), stamped(23, 23, 'of a user')];
  const records = [fakeRecord(1), ...burst, ...after, fakeRecord(24)];

  function journal(written: readonly JournalRecord[] = records) {
    const made = createFakeJournal({ chunk: 5 });
    made.write(written);
    return made;
  }
  const keyOf = (n: number) =>
    cursorKey(records.find((record) => record.message === `line ${n}`)?.cursor ?? '') ?? '';

  async function resume(n: number, written = records) {
    const found: (string | number)[] = [];
    const point = { key: keyOf(n), journal: null };
    const { reader } = journal(written);
    for await (const event of resumeJournal(reader, FAKE_TARGET, { source, point }, never)) {
      if (event.kind === 'gap') found.push(event.reason);
      else found.push(...lineNumbers(fakeEntries(event.records)));
    }
    return found;
  }

  it('[SIO-4] [LOG-2] resumes in the midst of a burst: nothing twice, and no gap where nothing is missing', async () => {
    for (const n of [2, 3, 12, 21, 22, 23])
      assert.deepEqual(await resume(n), span(n + 1, 24), `behind line ${n}`);
    assert.deepEqual(await resume(24), []);
    assert.deepEqual(await resume(1), span(2, 24));
  });

  it('[SIO-4] says that lines are missing where that journal was vacuumed', async () => {
    const left = [...after, fakeRecord(24)];
    assert.deepEqual(await resume(12, left), ['journal_vacuumed', 22, 23, 24]);
    assert.deepEqual(await resume(12, [fakeRecord(24)]), ['journal_replaced', 24]);
    assert.deepEqual(await resume(12, [fakeRecord(1)]), ['journal_vacuumed']);
  });

  it('[SIO-5] pages of history end before, or begin behind, the very entry', async () => {
    const deps = { target: FAKE_TARGET, source, toEntries: fakeEntries };
    for (const n of [2, 3, 12, 21, 22, 23]) {
      const { reader } = journal();
      const older = await historyPage(
        { ...deps, reader },
        { before: keyOf(n), filter: null, limit: 100 },
        never,
      );
      assert.deepEqual(lineNumbers(older.entries), span(1, n - 1), `before line ${n}`);
      const newer = await historyPage(
        { ...deps, reader },
        { after: keyOf(n), filter: null, limit: 100 },
        never,
      );
      assert.deepEqual(lineNumbers(newer.entries), span(n + 1, 24), `after line ${n}`);
    }
  });
});
