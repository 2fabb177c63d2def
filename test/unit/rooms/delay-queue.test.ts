import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { createDelayQueue, type DelayQueue } from '../../../server/rooms/delay-queue.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { until } from '../../support/until.ts';

const add = (delays: DelayQueue, room: string, delayMs: number, bytes: number, publish: () => void) =>
  delays.add({ room, sender: 'a', delayMs, bytes }, publish);

describe('broadcast delay', () => {
  it('[WS-2] publishes at once without a delay, and after it with one', async () => {
    const delays = createDelayQueue({ logger: createRecordLogger() });
    const out: string[] = [];
    const start = performance.now();
    add(delays, 'r', 60, 1, () => out.push('late'));
    add(delays, 'r', 0, 1, () => out.push('now'));
    add(delays, 'other', 0, 1, () => out.push('other'));
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
          add(delays, 'r', delay, 1, () => out.push(n));
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
    add(delays, 'r', 1000, 1, () => {
      throw new AppError('payload_too_large');
    });
    for (let n = 1; n < 1000; n += 1) add(delays, 'r', 1000, 1, () => out.push(n));
    const isLimit = (error: unknown) => error instanceof AppError && error.code === 'rate_limited';
    assert.throws(() => add(delays, 'r', 1000, 1, () => out.push(-1)), isLimit);
    add(delays, 'big', 1000, 16 * 1024 * 1024, () => {});
    assert.throws(() => add(delays, 'big', 1000, 1, () => {}), isLimit);
    await delays.stop();
    assert.deepEqual(
      out,
      Array.from({ length: 999 }, (_, n) => n + 1),
    );
    assert.match(logger.lines.join('\n'), /delayed message not published/);
  });

  it('[WS-2] each sender has a fair share, whatever the others do, and gets it back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.boolean(), (greedy, isLarge) => {
        let at = 0;
        const delays = createDelayQueue({ logger: createRecordLogger(), now: () => at });
        const bytes = isLarge ? 1024 * 1024 : 1;
        /** Adds until that is refused. @returns how many were taken */
        const fill = (sender: string): number => {
          for (let n = 0; ; n += 1) {
            try {
              delays.add({ room: 'r', sender, delayMs: 100, bytes }, () => {});
            } catch {
              return n;
            }
          }
        };
        const most = isLarge ? 32 : 2000;
        const taken = Array.from({ length: greedy }, (_, n) => fill(`greedy-${n}`));
        assert.equal(taken[0], most / 2);
        const before = taken.reduce((sum, one) => sum + one, 0);
        assert.ok(before <= most);
        // What is free then is halved by whoever comes: there is always some left, while it is more than a message.
        const free = most - before;
        assert.equal(fill('modest'), Math.floor(free / 2));
        at += 100;
        assert.equal(fill('greedy-0'), most / 2);
        void delays.stop();
      }),
      { numRuns: 24 },
    );
  });
});
