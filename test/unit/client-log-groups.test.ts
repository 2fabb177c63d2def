import assert from 'node:assert/strict';
import { serverFilter } from '../../client/log-filter.ts';
import { entryLines, foldGroups } from '../../client/log-groups.ts';
import { completeEntry, type LogItem } from '../../client/log-item.ts';
import { LEVELS } from '../../shared/log-entry.ts';

/** `E` a head, `c` a continuation, `|` a gap. */
function items(shape: string): LogItem[] {
  return [...shape].map((kind, seq) =>
    kind === '|'
      ? { kind: 'gap', seq, from: null, to: null, reason: 'unknown', noticedAt: 0 }
      : completeEntry({ id: `${seq}`, line: `${kind}${seq}`, continuation: kind === 'c' }, seq),
  );
}
/** Rows in the same letters, a fold as the number of its lines. */
const shape = (rows: ReturnType<typeof foldGroups>) =>
  rows
    .map((row) => (row.kind === 'fold' ? `<${row.count}>` : row.kind === 'gap' ? '|' : row.line.charAt(0)))
    .join('');

describe('entries of several lines', () => {
  it('fold the rest of long ones, and leave short ones and lists without any as they are', () => {
    const short = items('EEccccccE|cE');
    assert.equal(foldGroups(short, new Set()), short);
    assert.equal(shape(foldGroups(items('EEcccccccE'), new Set())), 'EEccc<4>E');
    assert.equal(shape(foldGroups(items('cccccccccE'), new Set())), 'cccc<5>E');
    assert.equal(shape(foldGroups(items('Eccccccc|cccccccccE'), new Set())), 'Eccc<4>|ccc<6>E');
    assert.equal(
      shape(foldGroups(items(`E${'c'.repeat(100)}E${'c'.repeat(7)}`), new Set())),
      'Eccc<97>Eccc<4>',
    );
  });

  it('open by the number of their fold, which stays', () => {
    const [fold] = foldGroups(items('Eccccccc'), new Set()).filter((row) => row.kind === 'fold');
    assert.equal(fold?.seq, 3.5);
    assert.equal(shape(foldGroups(items('EcccccccEccccccc'), new Set([3.5]))), 'Eccc<4>ccccEccc<4>');
    assert.equal(shape(foldGroups(items('EccccccccccE'), new Set([3.5]))), 'Eccc<7>cccccccE');
  });

  it('are copied whole from their head, a continuation alone', () => {
    const list = items('EEccE|c');
    assert.deepEqual(entryLines(list, 1), ['E1', 'c2', 'c3']);
    assert.deepEqual(entryLines(list, 0), ['E0']);
    assert.deepEqual(entryLines(list, 2), ['c2']);
    assert.deepEqual(entryLines(list, 5), []);
    assert.deepEqual(entryLines(list, 99), []);
    assert.deepEqual(entryLines([], 0), []);
  });
});

describe('a filter for the gateway', () => {
  it('is the least level and an RE2 pattern with the same case rule', () => {
    assert.deepEqual(serverFilter({}), {});
    assert.deepEqual(serverFilter({ text: 'a.b(' }), { grep: '(?i)a\\.b\\(' });
    assert.deepEqual(serverFilter({ text: 'Err.*', regex: true }), { grep: 'Err.*' });
    assert.deepEqual(serverFilter({ levels: ['error', 'warn'] }), { level: 'warn' });
    assert.deepEqual(serverFilter({ levels: [] }), { level: 'fatal' });
    assert.deepEqual(serverFilter({ levels: LEVELS }), {});
  });
});
