import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { createDelayQueue } from '../../../server/rooms/delay-queue.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { until } from '../../support/until.ts';

describe('broadcast delay', () => {
  it('[WS-2] publishes at once without a delay, and after it with one', async () => {
    const delays = createDelayQueue({ logger: createRecordLogger() });
    const out: string[] = [];
    const start = performance.now();
    delays.add('r', 60, 1, () => out.push('late'));
    delays.add('r', 0, 1, () => out.push('now'));
    delays.add('other', 0, 1, () => out.push('other'));
    assert.deepEqual(out, ['now', 'other']);
    await until(() => out.length === 3);
    assert.ok(performance.now() - start >= 59, `${performance.now() - start} ms`);
    assert.equal(delays.waiting('r'), 0);
    await delays.stop();
  });

  it('[WS-2] goes by due time and, where that is equal, by sequence', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ wait: fc.nat(5), delay: fc.nat(20) }), { maxLength: 60 }), (steps) => {
        let at = 0;
        const delays = createDelayQueue({ logger: createRecordLogger(), now: () => at });
        const out: number[] = [];
        const due: { n: number; dueAt: number }[] = [];
        for (const [n, { wait, delay }] of steps.entries()) {
          at += wait;
          due.push({ n, dueAt: at + delay });
          delays.add('r', delay, 1, () => out.push(n));
        }
        void delays.stop();
        const expected = due.sort((a, b) => a.dueAt - b.dueAt || a.n - b.n).map(({ n }) => n);
        assert.deepEqual(out, expected);
      }),
    );
  });

  it('[WS-2] is bounded, and what fails to be published harms nothing behind it', async () => {
    const logger = createRecordLogger();
    const delays = createDelayQueue({ logger });
    const out: number[] = [];
    delays.add('r', 1000, 1, () => {
      throw new AppError('payload_too_large');
    });
    for (let n = 1; n < 1000; n += 1) delays.add('r', 1000, 1, () => out.push(n));
    const isLimit = (error: unknown) => error instanceof AppError && error.code === 'rate_limited';
    assert.throws(() => delays.add('r', 1000, 1, () => out.push(-1)), isLimit);
    delays.add('big', 1000, 16 * 1024 * 1024, () => {});
    assert.throws(() => delays.add('big', 1000, 1, () => {}), isLimit);
    await delays.stop();
    assert.deepEqual(
      out,
      Array.from({ length: 999 }, (_, n) => n + 1),
    );
    assert.match(logger.lines.join('\n'), /delayed message not published/);
  });
});
