import assert from 'node:assert/strict';
import { createStrangers } from '../../../server/core/strangers.ts';

describe('strangers', () => {
  function make() {
    const clock = { ms: 0 };
    const out: string[] = [];
    let turnedOut = 0;
    const strangers = createStrangers({
      calm: 3,
      most: 6,
      patienceMs: 100,
      now: () => clock.ms,
      onTurnedOut: () => {
        turnedOut += 1;
      },
    });
    const enter = (name: string, address = '203.0.113.1') => strangers.enter(address, () => out.push(name));
    return { clock, out, strangers, enter, turnedOut: () => turnedOut };
  }

  it('[SIO-1] lets as many in as may wait, however old they get', () => {
    const { clock, out, enter } = make();
    for (const name of ['a', 'b', 'c']) {
      clock.ms += 1000;
      enter(name);
    }
    assert.deepEqual(out, []);
  });

  it('[SIO-1] beyond that the oldest go, as far as they have had their time', () => {
    const { clock, out, enter, strangers, turnedOut } = make();
    for (const name of ['a', 'b', 'c', 'd', 'e']) enter(name);
    assert.deepEqual(out, []);
    clock.ms = 99;
    enter('f');
    assert.deepEqual(out, []);
    clock.ms = 100;
    enter('g');
    assert.deepEqual(out, ['a', 'b', 'c', 'd']);
    assert.equal(strangers.count(), 3);
    assert.equal(turnedOut(), 4);
  });

  it('[SIO-1] beyond the most the oldest goes, however young', () => {
    const { out, enter, strangers } = make();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) enter(name);
    assert.deepEqual(out, ['a', 'b']);
    assert.equal(strangers.count(), 6);
  });

  it('[SIO-1] who has shown a token is in nobody’s way, and is never turned out', () => {
    const { out, enter, strangers } = make();
    const first = enter('a');
    const second = enter('b');
    first();
    first();
    second();
    for (const name of ['c', 'd', 'e', 'f', 'g', 'h', 'i']) enter(name);
    assert.deepEqual(out, ['c']);
    assert.equal(strangers.count(), 6);
  });

  it('[SIO-1] addresses are apart, those of one IPv6 network together, and nothing is kept of those who left', () => {
    const { out, enter, strangers } = make();
    const leaves = [];
    for (let n = 0; n < 6; n += 1) leaves.push(enter(`v4-${n}`, `203.0.113.${n}`));
    for (let n = 0; n < 7; n += 1) leaves.push(enter(`v6-${n}`, `2001:db8::${n}`));
    assert.deepEqual(out, ['v6-0']);
    for (const leave of leaves) leave();
    assert.equal(strangers.count(), 0);
  });
});
