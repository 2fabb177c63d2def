import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { isDeeperThan, JSON_DEPTH_MAX, parseJson } from '../../../server/core/json.ts';
import { cheapest } from '../../support/cheapest.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('JSON from clients', () => {
  it('[WS-5] the depth of a text is that of its value, whatever its strings hold', () => {
    const leaf = fc.string({ unit: fc.constantFrom('"', '\\', '[', '{', ']', 'a'), maxLength: 8 });
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(leaf, tie('tree'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.integer({ min: 0, max: 5 }), (value, max) => {
        const text = JSON.stringify(value);
        assert.equal(isDeeperThan(text, max), depthOf(value) > max);
      }),
      { numRuns: 2000 },
    );
  });

  it('[WS-5] refuses what nests deeper than the limit, at once', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    parseJson(nested(JSON_DEPTH_MAX));
    const texts = [
      nested(JSON_DEPTH_MAX + 1),
      '['.repeat(1_000_000),
      '{"a":'.repeat(100_000),
      '"\\'.repeat(300_000),
    ];
    const ms = cheapest(() => {
      for (const text of texts) {
        assert.throws(
          () => parseJson(text),
          (error) => error instanceof AppError && error.code === 'invalid_json',
        );
      }
    });
    assert.ok(ms < 500, `${ms} ms`);
  });
});
