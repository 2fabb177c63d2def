import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import { createSlots } from '../../../server/core/slots.ts';
import { createTurns } from '../../../server/core/turns.ts';

const never = new AbortController().signal;
const code = (expected: string) => (error: unknown) => error instanceof AppError && error.code === expected;

describe('slots', () => {
  it('lets so many of one key in, queues so many, refuses the rest, and leaves other keys alone', async () => {
    const slots = createSlots({ slots: 2, waiting: 1 });
    const first = await slots.take('a', never);
    await slots.take('a', never);
    const third = slots.take('a', never);
    await assert.rejects(slots.take('a', never), code('rate_limited'));
    (await slots.take('b', never))();
    first();
    first();
    const release = await third;
    const fourth = slots.take('a', never);
    await assert.rejects(slots.take('a', never), code('rate_limited'));
    release();
    (await fourth)();
  });

  it('who gives up keeps no place', async () => {
    const slots = createSlots({ slots: 1, waiting: 1 });
    const release = await slots.take('a', never);
    const leaving = new AbortController();
    const left = slots.take('a', leaving.signal);
    leaving.abort();
    await assert.rejects(left, code('ssh_closed'));
    const next = slots.take('a', never);
    release();
    (await next)();
    await assert.rejects(slots.take('a', AbortSignal.abort()), code('ssh_closed'));
  });
});

describe('turns', () => {
  it('one piece of work a round, in the order asked, with timers in between', async () => {
    const turn = createTurns();
    const order: string[] = [];
    let rounds = 0;
    let counting = true;
    const count = () => {
      rounds += 1;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const worker = async (name: string) => {
      for (let n = 0; n < 5; n++) {
        await turn();
        order.push(`${name}${n}`);
      }
    };
    await Promise.all(['a', 'b', 'c'].map(worker));
    counting = false;
    assert.deepEqual(order.slice(0, 6), ['a0', 'b0', 'c0', 'a1', 'b1', 'c1']);
    assert.ok(rounds >= 14, `${rounds} rounds for 15 pieces`);
  });
});
