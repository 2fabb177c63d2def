import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';
import { toEntry } from '../../server/logs/entry.ts';
import { parseLine } from '../../server/logs/parsers/index.ts';
import { isoMicroseconds, packBatch, unpackEntry } from '../../shared/log-batch.ts';
import type { LogEntry } from '../../shared/log-entry.ts';

const throughJson = (entries: readonly LogEntry[]) => {
  const { entries: packed, ...shared } = JSON.parse(JSON.stringify(packBatch(entries))) as ReturnType<
    typeof packBatch
  >;
  return packed.map((entry) => unpackEntry(entry, shared));
};

const entryOf = (raw: string, n: number): LogEntry => {
  const record = { cursor: `c${n}`, realtimeUs: 1_767_225_600_000_000 + n * 977, message: raw, extra: {} };
  return toEntry(record, { encode: (cursor) => cursor, decode: (id) => id });
};

describe('log batches', () => {
  it('[SIO-3] entries come out as they went in, for every line of the corpus', () => {
    const entries = fixtureLines('corpus.jsonl').map(({ raw }, n) => entryOf(raw, n));
    assert.deepEqual(throughJson(entries), entries);
  });

  it('[SIO-3] entries come out as they went in, whatever they hold', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a', 'a=1', '__proto__', ''),
    );
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    const entry = fc
      .record({
        id: text,
        line: text,
        time: optional(fc.integer({ min: 0, max: 4_000_000_000_000_000 }).map(isoMicroseconds)),
        level: optional(fc.constantFrom('info', 'warn', null)),
        target: optional(text),
        message: optional(text),
        fields: optional(fc.dictionary(text, text, { minKeys: 1, noNullPrototype: true })),
        pid: optional(fc.constantFrom(1, 2)),
        identifier: optional(fc.constantFrom('geth', 'reth')),
        continuation: optional(fc.constant(true)),
      })
      // A message equal to its line is left out by whoever makes an entry.
      .filter(({ line, message }) => message !== line)
      .map(
        (one) =>
          Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as LogEntry,
      );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        assert.deepEqual(throughJson(entries), entries);
      }),
      { numRuns: 3000 },
    );
  });

  it('[SIO-3] says nothing twice: text of the line does not stand in message and fields again', () => {
    const line =
      'INFO [11-21|01:30:00.123] Imported new potential chain segment   number=19,000,001 hash=2f0a1b..9b1c2d blocks=1';
    assert.deepEqual(parseLine(line).fields, { number: '19,000,001', hash: '2f0a1b..9b1c2d', blocks: '1' });
    const [packed] = packBatch([entryOf(line, 1)]).entries;
    assert.deepEqual(Object.keys(packed ?? {}).sort(), ['cut', 'id', 'level', 'line']);
    assert.ok((packed?.cut ?? '').length < 20, packed?.cut);
  });

  it('a cut that is not as it should be adds nothing and throws nothing', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (line, cut) => {
        const entry = unpackEntry({ id: '1', line, cut }, {});
        assert.ok((entry.message ?? '').length <= line.length);
      }),
      { numRuns: 2000 },
    );
  });
});
