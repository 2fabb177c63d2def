import assert from 'node:assert/strict';
import { createWaits, watchProcessor } from '../../../scripts/chaos/processor.ts';
import { until } from '../../support/until.ts';

describe('waits for a processor in a chaos run', () => {
  const waited = (one: number, two: number) =>
    new Map([
      [1, one],
      [2, two],
    ]);

  it('are the most that one process waited between the samples inside a span', () => {
    const waits = createWaits();
    waits.sample(0, waited(0, 0));
    waits.sample(100, waited(50, 10));
    waits.sample(200, waited(60, 90));
    waits.sample(300, waited(160, 95));
    assert.equal(waits.within({ from: 0, to: 300 }), 160);
    assert.equal(waits.within({ from: 50, to: 250 }), 80);
    assert.equal(waits.within({ from: 100, to: 299 }), 80);
  });

  it('are none where it is not known', () => {
    const waits = createWaits();
    assert.equal(waits.within({ from: 0, to: 100 }), 0);
    waits.sample(50, waited(70, 0));
    assert.equal(waits.within({ from: 0, to: 100 }), 0);
    // A process that has begun meanwhile, and one that has ended.
    waits.sample(60, new Map([[3, 9]]));
    assert.equal(waits.within({ from: 0, to: 100 }), 0);
  });

  it('are seen of a process beside this one', async () => {
    const watch = watchProcessor(() => [process.ppid]);
    try {
      const from = performance.now();
      // However little there is to wait for, the time goes on and nothing is made up.
      await until(() => performance.now() - from > 100);
      const ms = watch.within({ from, to: performance.now() });
      assert.ok(ms >= 0 && ms <= performance.now() - from, `${ms} ms`);
    } finally {
      watch.stop();
    }
  });
});
