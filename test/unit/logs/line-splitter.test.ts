import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createLineSplitter, LINE_MAX } from '../../../server/logs/journal/line-splitter.ts';

function split(bytes: Buffer, cuts: readonly number[], limit?: number) {
  const splitter = createLineSplitter(limit);
  const lines: string[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    lines.push(...splitter.push(bytes.subarray(from, to)));
    from = to;
  }
  return { lines, pending: splitter.pending() };
}

describe('the line splitter', () => {
  it('keeps a character whole that is split between two chunks', () => {
    const bytes = Buffer.from('grün 🦀\nweiter\n');
    for (let cut = 0; cut <= bytes.length; cut++)
      assert.deepEqual(split(bytes, [cut]).lines, ['grün 🦀', 'weiter']);
  });

  it('gives empty lines, and holds back what has no end yet', () => {
    assert.deepEqual(split(Buffer.from('\n\na\nbc'), [1, 3]), { lines: ['', '', 'a'], pending: 2 });
  });

  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }),
        fc.array(fc.nat({ max: 2000 }), { maxLength: 30 }),
        (texts, cuts) => {
          const bytes = Buffer.from(`${texts.join('\n')}\n`);
          assert.deepEqual(split(bytes, cuts), {
            lines: bytes.toString().split('\n').slice(0, -1),
            pending: 0,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('gives the same lines however the bytes are cut, also of lines over the limit', () => {
    const limit = 80_000;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 79_990, max: 300_000 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat({ max: 900_000 }), { maxLength: 8 }),
        (sizes, cuts) => {
          const texts = sizes.map((size) =>
            Array.from({ length: Math.ceil(size / 6) }, (_, n) => 100_000 + n)
              .join('')
              .slice(0, size),
          );
          const expected = texts.map((text) =>
            text.length > limit ? text.slice(0, 65_536) + text.slice(-4096) : text,
          );
          const { lines } = split(Buffer.from(`${texts.join('\n')}\n`), cuts, limit);
          // Not deepEqual: it would print megabytes.
          assert.ok(lines.length === expected.length && lines.every((line, n) => line === expected[n]));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('[LOG-4] never holds more than 8 MiB and a chunk, and goes on behind a line without an end', () => {
    const splitter = createLineSplitter();
    const chunk = Buffer.alloc(262_144, 'x');
    let most = 0;
    for (let n = 0; n < 200; n++) {
      assert.deepEqual(splitter.push(chunk), []);
      most = Math.max(most, splitter.pending());
    }
    assert.ok(most <= LINE_MAX + chunk.length);
    const [long = '', next] = splitter.push(Buffer.from('end\nnext\n'));
    assert.equal(long.length, 65_536 + 4096);
    assert.ok(long.endsWith('xend'));
    assert.equal(next, 'next');
    assert.equal(splitter.pending(), 0);
  });
});
