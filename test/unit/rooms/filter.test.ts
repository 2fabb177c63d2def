import assert from 'node:assert/strict';
import fc from 'fast-check';
import { anyFilter, compileFilter } from '../../../server/rooms/filter.ts';

describe('filters on data', () => {
  const cases: [Record<string, unknown>, unknown, boolean][] = [
    [{ a: 1 }, { a: 1, b: 2 }, true],
    [{ a: 1 }, { a: '1' }, false],
    [{ a: 1, b: 2 }, { a: 1 }, false],
    [{ 'a.b.c': true }, { a: { b: { c: true } } }, true],
    [{ 'a.b': 1 }, { 'a.b': 1 }, true],
    [{ 'a.b': 1 }, { a: 1 }, false],
    [{ a: { b: [1, { c: null }] } }, { a: { b: [1, { c: null }] } }, true],
    [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }, false],
    [{ a: null }, { a: null }, true],
    [{ a: null }, {}, false],
    [{ 'list.1': 'x' }, { list: ['w', 'x'] }, true],
    [{ a: 1 }, null, false],
    [{ a: 1 }, 'a', false],
    [{ 'a.length': 3 }, { a: 'abc' }, false],
    [{ 'constructor.name': 'Object' }, {}, false],
    [{ 'toString.length': 0 }, {}, false],
    [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'), true],
    [JSON.parse('{"__proto__.a":1}'), {}, false],
  ];
  for (const [filters, data, passes] of cases) {
    it(`[WS-1] ${JSON.stringify(filters)} ${passes ? 'passes' : 'stops'} ${JSON.stringify(data)}`, () => {
      assert.equal(compileFilter(filters)?.(data), passes);
    });
  }

  it('[WS-1] no filter and an empty one let everything pass', () => {
    for (const filters of [undefined, null, {}]) assert.equal(compileFilter(filters), undefined);
  });

  it('[WS-1] of several filters one has to pass', () => {
    const either = anyFilter([compileFilter({ a: 1 }), compileFilter({ a: 2 })]);
    assert.deepEqual(
      [{ a: 1 }, { a: 2 }, { a: 3 }].map((data) => either?.(data)),
      [true, true, false],
    );
    assert.equal(anyFilter([compileFilter({ a: 1 }), undefined]), undefined);
  });

  it('[WS-1] every field of a value passes its own filter, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (data) => {
        const copy = JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
        assert.notEqual(compileFilter(copy)?.(JSON.parse(JSON.stringify(data))), false);
      }),
    );
  });
});
