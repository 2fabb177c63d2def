import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import { createFilter } from '../../../server/logs/filter.ts';
import { LEVELS, type Level } from '../../../shared/log-entry.ts';
import { cheapest } from '../../support/cheapest.ts';

const entry = (line: string, level?: Level | null) => ({
  id: 'i',
  line,
  ...(level === undefined ? {} : { level }),
});

describe('the filter of a viewer', () => {
  it('is none where nothing is asked', () => {
    for (const request of [{}, { level: null, grep: null }, { grep: '' }])
      assert.equal(createFilter(request), null);
  });

  for (const [index, level] of LEVELS.entries()) {
    it(`level ${level} passes it and what is above, and always what has none`, () => {
      const filter = createFilter({ level });
      const passed = LEVELS.filter((other) => filter?.(entry('l', other)));
      assert.deepEqual(passed, LEVELS.slice(index));
      assert.ok(filter?.(entry('l')));
      assert.ok(filter?.(entry('l', null)));
    });
  }

  it('grep looks anywhere in the raw line, and joins with level', () => {
    const filter = createFilter({ grep: 'peers=(0|1)\\b', level: 'warn' });
    assert.equal(filter?.(entry('Looking for peers peers=1 x', 'warn')), true);
    assert.equal(filter?.(entry('Looking for peers peers=12', 'warn')), false);
    assert.equal(filter?.(entry('Looking for peers peers=1', 'info')), false);
    assert.equal(createFilter({ grep: '(?i)ERROR' })?.(entry('an error')), true);
  });

  for (const grep of ['(', '[a', '(?=look)', '(a)\\1', '*', 'a{2000}']) {
    it(`says what is wrong with ${grep}`, () => {
      assert.throws(
        () => createFilter({ grep }),
        (error) => error instanceof AppError && error.code === 'invalid_pattern' && !!error.detail,
      );
    });
  }

  it('lets continuations follow the entry above them', () => {
    const more = (line: string) => ({ ...entry(line), continuation: true });
    const lines = [
      more('  of an entry before'),
      entry('ERROR boom', 'error'),
      more('  at frame one'),
      more('  at frame two'),
      entry('INFO fine', 'info'),
      more('  wrapped text'),
      entry('plain text'),
      more('  more of it'),
    ];
    const passed = (request: Parameters<typeof createFilter>[0]) => {
      const filter = createFilter(request);
      return lines.flatMap((line, index) => (filter?.(line) ? [index] : []));
    };
    assert.deepEqual(passed({ level: 'error' }), [0, 1, 2, 3, 6, 7]);
    assert.deepEqual(passed({ grep: 'boom' }), [1, 2, 3]);
    assert.deepEqual(passed({ grep: 'frame two' }), [3]);
    assert.deepEqual(passed({ grep: 'wrapped', level: 'error' }), []);
    assert.deepEqual(passed({ grep: 'fine|wrapped', level: 'info' }), [4, 5]);
  });

  it('takes time in proportion to the line, whatever the pattern', () => {
    const line = `${'a'.repeat(20_000)}b`;
    const ms = cheapest(() => assert.equal(createFilter({ grep: '(a+)+$' })?.(entry(line)), false));
    assert.ok(ms < 2000, `${ms} ms`);
  });
});
