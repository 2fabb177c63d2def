import assert from 'node:assert/strict';
import { createJournal, type Journal } from '../../../server/demo/journal.ts';

const BOOT = 1_700_000_000_000;
const ids = {
  machineId: '1'.repeat(32),
  bootId: 'b'.repeat(32),
  seqnumId: '5'.repeat(32),
  bootedAt: BOOT,
  firstSeq: 100,
};
const SHAPE = /^s=[0-9a-f]{32};i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+$/;

/** Ten entries, a second apart; five are kept. */
function fill(): Journal {
  const journal = createJournal({ ...ids, capacity: 5 });
  for (let i = 0; i < 10; i++) journal.append({ at: BOOT + i * 1000, message: `line ${i}`, origin: {} });
  return journal;
}

function entry(journal: Journal, seq: number) {
  const found = journal.get(seq);
  assert.ok(found, `entry ${seq}`);
  return found;
}

describe('the simulated journal', () => {
  it('keeps the newest entries up to its capacity', () => {
    const journal = fill();
    assert.deepEqual([journal.first(), journal.last()], [105, 109]);
    assert.equal(journal.get(104), undefined);
    assert.equal(entry(journal, 105).message, 'line 5');
    assert.equal(journal.get(110), undefined);
  });

  it('never goes back in time, whatever the clock does', () => {
    const journal = createJournal(ids);
    const first = journal.append({ at: BOOT + 5000, message: 'a', origin: {} });
    const second = journal.append({ at: BOOT + 1000, message: 'b', origin: {} });
    assert.ok(second.realtime > first.realtime && second.monotonic > first.monotonic);
  });

  it('names entries with cursors of the genuine shape, all different', () => {
    const journal = fill();
    const cursors = [105, 106, 107, 108, 109].map((seq) => journal.cursorOf(entry(journal, seq)));
    for (const cursor of cursors) assert.match(cursor, SHAPE);
    assert.equal(new Set(cursors).size, 5);
  });

  it('finds an entry by its cursor, and by the time in it where the journal is another one', () => {
    const journal = fill();
    const cursor = journal.cursorOf(entry(journal, 107));
    assert.equal(journal.seekCursor(cursor), 107);
    const foreign = cursor.replace(/s=5+/, `s=${'6'.repeat(32)}`);
    assert.equal(journal.seekCursor(foreign), 107);
    assert.equal(journal.seekCursor(foreign.replace(/b=b+/, `b=${'c'.repeat(32)}`)), 107);
    assert.equal(journal.seekCursor(cursor.replace(/^.*(t=)/, '$1')), 107);
  });

  it('goes to the nearest entry where the one of the cursor is gone', () => {
    const journal = fill();
    const seqOnly = (seq: number) => `s=${ids.seqnumId};i=${seq.toString(16)}`;
    assert.equal(journal.seekCursor(seqOnly(102)), 105);
    assert.equal(journal.seekCursor(seqOnly(200), true), 109);
    const between = `t=${(entry(journal, 106).realtime + 10).toString(16)}`;
    assert.equal(journal.seekCursor(between), 107);
    assert.equal(journal.seekCursor(between, true), 106);
  });

  for (const cursor of [
    '',
    'foo',
    's=aa;i=1',
    `s=${'5'.repeat(32)}`,
    'm=5',
    'i=xyz',
    'x=5',
    `s=${'5'.repeat(32)};i=1;;`,
  ]) {
    it(`refuses the cursor ${JSON.stringify(cursor)}`, () => assert.equal(fill().seekCursor(cursor), null));
  }

  it('tells followers of each entry until they leave', () => {
    const journal = createJournal(ids);
    let told = 0;
    const off = journal.onAppend(() => {
      told++;
    });
    journal.append({ at: BOOT, message: 'a', origin: {} });
    off();
    journal.append({ at: BOOT, message: 'b', origin: {} });
    assert.equal(told, 1);
  });
});
