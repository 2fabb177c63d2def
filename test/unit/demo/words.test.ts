import assert from 'node:assert/strict';
import fc from 'fast-check';
import { COMMAND_MAX, splitWords } from '../../../server/demo/words.ts';
import { quoteArgv } from '../../../server/ssh/shell-quote.ts';

describe('words of a demo command', () => {
  it('follow the quoting rules of a POSIX shell', () => {
    assert.deepEqual(splitWords(`a 'b c'\\''d' "e \\"f\\" \\g"  h\\ i ''`), [
      'a',
      "b c'd",
      'e "f" \\g',
      'h i',
      '',
    ]);
    assert.deepEqual(splitWords('  '), []);
  });

  for (const text of [
    'a; b',
    'a | b',
    'a & b',
    'a > b',
    'a $(b)',
    '`a`',
    'a $b',
    'a *',
    'a\nb',
    "a 'b",
    'a "b',
    '"$a"',
    'a \\',
    'a\0b',
  ]) {
    it(`are not made from ${JSON.stringify(text)}, which needs a shell`, () =>
      assert.equal(splitWords(text), null));
  }

  it('have a longest text', () => assert.equal(splitWords('a'.repeat(COMMAND_MAX + 1)), null));

  it('give back every argv that the SSH pool quotes', () => {
    const word = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(word, { maxLength: 6 }), (program, words) => {
        const argv = [program, ...words];
        assert.deepEqual(splitWords(quoteArgv(argv)), argv);
      }),
    );
  });
});
