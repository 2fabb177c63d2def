import assert from 'node:assert/strict';
import { startStopwatch } from '../../support/stopwatch.ts';

describe('the stopwatch of the tests', () => {
  it('counts waiting', async () => {
    const took = startStopwatch();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ms = took();
    // All of them where the machine has nothing else to do.
    assert.ok(ms > 50, `${ms} ms`);
  });

  it('counts all that this process does itself, also where nothing else gets its turn', () => {
    const took = startStopwatch();
    const cpu = process.cpuUsage();
    for (let used = 0; used < 200_000; ) {
      const { user, system } = process.cpuUsage(cpu);
      used = user + system;
    }
    const ms = took();
    assert.ok(ms > 150, `${ms} ms`);
  });

  it('does not count what it was kept from', () => {
    const took = startStopwatch();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    const ms = took();
    assert.ok(ms < 150, `${ms} ms`);
  });
});
