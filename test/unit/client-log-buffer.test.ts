import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createLogBuffer } from '../../client/log-buffer.ts';
import { completeEntry } from '../../client/log-item.ts';

const entry = (n: number, line = `line ${n}`) => ({ id: `id-${n}`, line });
const entries = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => entry(from + index));

describe('client log buffer', () => {
  it('[SIO-3] fills in what a batch entry leaves out', () => {
    const line = completeEntry({ id: 'a', line: 'hello', time: '2026-01-01T00:00:00.000001Z' }, 1);
    assert.deepEqual(line, {
      kind: 'line',
      seq: 1,
      id: 'a',
      line: 'hello',
      time: '2026-01-01T00:00:00.000001Z',
      level: null,
      groupLevel: null,
      target: null,
      message: 'hello',
      fields: {},
      pid: null,
      identifier: null,
      continuation: false,
    });
  });

  it('[SIO-3] fills in what a batch says once for all its entries', () => {
    const buffer = createLogBuffer();
    buffer.append([entry(1), { ...entry(2), pid: 7 }], { pid: 5, identifier: 'geth' });
    const pids = buffer.items().map((item) => item.kind === 'line' && [item.pid, item.identifier]);
    assert.deepEqual(pids, [
      [5, 'geth'],
      [7, 'geth'],
    ]);
  });

  it('lets a continuation go by the level of its entry', () => {
    const buffer = createLogBuffer();
    buffer.append([
      { id: '1', line: 'ERROR boom', level: 'error' },
      { id: '2', line: '  at f()', continuation: true },
      { id: '3', line: '  at g()', continuation: true },
    ]);
    assert.deepEqual(
      buffer.items().map((item) => item.kind === 'line' && item.groupLevel),
      ['error', 'error', 'error'],
    );
    assert.equal(buffer.counts().error, 3);
    assert.equal(buffer.counts().unknown, 0);
  });

  it('keeps the newest items and counts the lines that fell out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 50 }),
        (batches, capacity) => {
          const buffer = createLogBuffer({ capacity });
          let written = 0;
          for (const size of batches) {
            buffer.append(entries(written + 1, written + size));
            written += size;
            const ids = buffer.items().map((item) => (item.kind === 'line' ? item.id : 'gap'));
            const first = Math.max(1, written - capacity + 1);
            assert.deepEqual(
              ids,
              entries(first, written).map(({ id }) => id),
            );
            assert.equal(buffer.dropped, written - ids.length);
            assert.equal(buffer.counts().unknown, ids.length);
          }
        },
      ),
    );
  });

  it('is bounded in characters when lines are long, and never drops the newest line', () => {
    const buffer = createLogBuffer({ maxChars: 100_000 });
    for (let n = 1; n <= 10; n += 1) buffer.append([entry(n, 'x'.repeat(48_000))]);
    assert.equal(buffer.items().length, 2);
    assert.equal(buffer.dropped, 8);
    buffer.append([entry(11, 'y'.repeat(200_000))]);
    assert.equal(buffer.items().length, 1);
  });

  it('gives the same array until something changes', () => {
    const buffer = createLogBuffer();
    buffer.append(entries(1, 3));
    const before = buffer.items();
    assert.equal(buffer.items(), before);
    buffer.append(entries(4, 4));
    assert.notEqual(buffer.items(), before);
    assert.equal(before.length, 3);
  });

  it('makes room for older lines, up to four times its capacity', () => {
    const buffer = createLogBuffer({ capacity: 10 });
    buffer.append(entries(101, 110));
    assert.equal(buffer.hasRoom, true);
    buffer.grow();
    buffer.prepend(entries(91, 100));
    assert.equal(buffer.items().length, 20);
    assert.equal(buffer.dropped, 0);
    assert.equal(new Set(buffer.items().map((item) => item.seq)).size, 20);
    buffer.append(entries(111, 112));
    assert.equal(buffer.items().length, 22, 'the grown size stays');
    buffer.prepend(entries(1, 60));
    assert.equal(buffer.items().length, 40);
    assert.equal(buffer.hasRoom, false);
  });

  it('never uses a sequence number twice, also after a clear', () => {
    const buffer = createLogBuffer({ capacity: 5 });
    const seen = new Set<number>();
    const note = () => {
      for (const item of buffer.items()) seen.add(item.seq);
    };
    buffer.append(entries(1, 5));
    note();
    buffer.clear();
    assert.deepEqual(buffer.items(), []);
    assert.equal(buffer.dropped, 0);
    buffer.append(entries(6, 8));
    buffer.grow();
    buffer.prepend(entries(20, 30));
    note();
    assert.equal(seen.size, 5 + 14);
  });
});
