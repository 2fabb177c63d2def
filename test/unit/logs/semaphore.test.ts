import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createSemaphore } from '../../../server/logs/semaphore.ts';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the semaphore of catch-up reads', () => {
  it('lets so many in and the others one by one, in their order', async () => {
    const semaphore = createSemaphore(2);
    const order: number[] = [];
    const releases: (() => void)[] = [];
    for (let n = 0; n < 5; n++) {
      void semaphore.acquire(never).then((release) => {
        order.push(n);
        releases.push(release);
      });
    }
    await turn();
    assert.deepEqual(order, [0, 1]);
    releases[1]?.();
    await turn();
    assert.deepEqual(order, [0, 1, 2]);
    releases[0]?.();
    releases[2]?.();
    await turn();
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it('a slot given back twice is one slot', async () => {
    const semaphore = createSemaphore(1);
    const release = await semaphore.acquire(never);
    release();
    release();
    await semaphore.acquire(never);
    let second = false;
    void semaphore.acquire(never).then(() => {
      second = true;
    });
    await turn();
    assert.equal(second, false);
  });

  it('who gives up waiting takes no slot and keeps nobody’s place', async () => {
    const semaphore = createSemaphore(1);
    const release = await semaphore.acquire(never);
    const givingUp = new AbortController();
    const gone = semaphore.acquire(givingUp.signal);
    const next = semaphore.acquire(never);
    givingUp.abort();
    (await gone)();
    let served = false;
    void next.then(() => {
      served = true;
    });
    await turn();
    assert.equal(served, false);
    release();
    await turn();
    assert.equal(served, true);
    await semaphore.acquire(AbortSignal.abort());
  });

  it('never has more holders than slots, and loses none', async () => {
    const step = fc.oneof(fc.constant('acquire'), fc.constant('release'), fc.constant('abort'));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 40 }),
        async (slots, steps) => {
          const semaphore = createSemaphore(slots);
          const held: (() => void)[] = [];
          const waiting: AbortController[] = [];
          for (const what of steps) {
            if (what === 'acquire') {
              const giveUp = new AbortController();
              waiting.push(giveUp);
              void semaphore.acquire(giveUp.signal).then((release) => {
                waiting.splice(waiting.indexOf(giveUp), 1);
                if (!giveUp.signal.aborted) held.push(release);
              });
            } else if (what === 'release') held.shift()?.();
            else waiting.at(-1)?.abort();
            await Promise.resolve();
            await turn();
            assert.ok(held.length <= slots);
            if (waiting.length > 0) assert.equal(held.length, slots);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
