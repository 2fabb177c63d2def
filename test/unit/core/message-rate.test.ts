import assert from 'node:assert/strict';
import { createMessageRate, type RateVerdict } from '../../../server/core/message-rate.ts';

const RATE = 100;

describe('message rate', () => {
  /** A limit of RATE a second, and the time that it sees, in ms. */
  function make() {
    const clock = { ms: 0 };
    const rate = createMessageRate(RATE, clock.ms);
    const send = (count: number): RateVerdict[] => Array.from({ length: count }, () => rate.count(clock.ms));
    return { clock, send };
  }
  const count = (verdicts: readonly RateVerdict[], verdict: RateVerdict) =>
    verdicts.filter((one) => one === verdict).length;

  it('[WS-5] lets twice the rate pass at once; the next is told, those behind it are dropped, and another burst cuts', () => {
    const { send } = make();
    const verdicts = send(4 * RATE + 1);
    assert.deepEqual(verdicts.slice(0, 2 * RATE), Array(2 * RATE).fill('pass'));
    assert.equal(verdicts[2 * RATE], 'warn');
    assert.deepEqual(verdicts.slice(2 * RATE + 1, 4 * RATE), Array(2 * RATE - 1).fill('drop'));
    assert.equal(verdicts[4 * RATE], 'close');
  });

  it('[WS-5] never stops a client that keeps to the rate', () => {
    const { clock, send } = make();
    for (let ms = 0; ms < 60_000; ms += 1000 / RATE) {
      clock.ms = ms;
      assert.deepEqual(send(1), ['pass'], `at ${ms} ms`);
    }
  });

  it('[WS-5] lets no more than the rate and one burst pass, whoever sends twice as much', () => {
    const { clock, send } = make();
    const seconds = 30;
    let passed = 0;
    for (clock.ms = 0; clock.ms < seconds * 1000; clock.ms += 1000 / (2 * RATE))
      passed += count(send(1), 'pass');
    assert.ok(passed <= (seconds + 2) * RATE, String(passed));
    assert.ok(passed >= seconds * RATE, String(passed));
  });

  it('[WS-5] forgets what was dropped once the client has kept quiet, and warns it anew', () => {
    const { clock, send } = make();
    assert.equal(count(send(3 * RATE), 'warn'), 1);
    clock.ms += 2000;
    const again = send(3 * RATE);
    assert.equal(count(again, 'pass'), 2 * RATE);
    assert.equal(count(again, 'warn'), 1);
    assert.equal(count(again, 'close'), 0);
  });
});
