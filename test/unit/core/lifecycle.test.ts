import assert from 'node:assert/strict';
import { createLifecycle } from '../../../server/core/lifecycle.ts';
import { createSilentLogger } from '../../../server/core/logger.ts';
import { startStopwatch } from '../../support/stopwatch.ts';

describe('lifecycle', () => {
  const logger = createSilentLogger();

  it('[RUN-5] stops in reverse order, once, and every caller waits for the same end', async () => {
    const lifecycle = createLifecycle({ logger });
    const order: string[] = [];
    for (const name of ['store', 'pool', 'http']) {
      lifecycle.add(name, async () => {
        await Promise.resolve();
        order.push(name);
      });
    }
    const first = lifecycle.stop();
    assert.equal(lifecycle.stop(), first);
    assert.equal(lifecycle.stopping, true);
    await first;
    assert.deepEqual(order, ['http', 'pool', 'store']);
  });

  it('[RUN-5] goes on past a part that fails or hangs', async () => {
    const lifecycle = createLifecycle({ logger });
    const stopped: string[] = [];
    lifecycle.add('store', { stop: async () => void stopped.push('store') });
    lifecycle.add('failing', () => Promise.reject(new Error('broken')));
    lifecycle.add('throwing', () => {
      throw new Error('broken');
    });
    lifecycle.add('hanging', () => new Promise<void>(() => undefined), { timeoutMs: 20 });
    await lifecycle.stop();
    assert.deepEqual(stopped, ['store']);
  });

  it('[RUN-5] is bounded in total', async () => {
    const lifecycle = createLifecycle({ logger, totalTimeoutMs: 60 });
    for (let i = 0; i < 10; i += 1) lifecycle.add(`hanging ${i}`, () => new Promise<void>(() => undefined));
    const took = startStopwatch();
    await lifecycle.stop();
    assert.ok(took() < 1000);
  });

  it('stops at once what is added after the stop began', async () => {
    const lifecycle = createLifecycle({ logger });
    await lifecycle.stop();
    await new Promise<void>((resolve) => lifecycle.add('late', resolve));
  });
});
