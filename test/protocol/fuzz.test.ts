import assert from 'node:assert/strict';
import { fuzzFrames } from '../../scripts/fuzz/frames.ts';
import { withNastyValue } from '../../scripts/fuzz/nasty-json.ts';
import { fuzzPackets } from '../../scripts/fuzz/packets.ts';
import { holdConnections, SLOWNESSES } from '../../scripts/fuzz/slow.ts';
import { guessSecrets } from '../../scripts/fuzz/tokens.ts';

/** The short form of `npm run fuzz`: a server process, some thousand inputs, and good clients beside them. */
describe('fuzzing', function () {
  this.timeout(90_000);
  const silent = () => {};

  // Each has a server of its own and waits for some seconds at its end, so that they go on together.
  let frames: ReturnType<typeof fuzzFrames>;
  let packets: ReturnType<typeof fuzzPackets>;
  before(() => {
    frames = fuzzFrames(3000, 1, silent);
    packets = fuzzPackets(3000, 1, silent);
    for (const run of [frames, packets]) run.catch(() => {});
  });

  it('[WS-5] survives mutated messages and frames at every plain WebSocket address while others are served', async () => {
    const { inputs, refused, served } = await frames;
    assert.ok(inputs >= 3000);
    assert.ok(refused > inputs / 4, `only ${refused} of ${inputs} inputs were refused`);
    assert.ok(served.messages > 0);
  });

  it('[WS-5] survives mutated Socket.IO packets while others are served', async () => {
    const { inputs, refused, served } = await packets;
    assert.ok(inputs >= 3000);
    assert.ok(refused > inputs / 20, `only ${refused} of ${inputs} inputs were refused`);
    assert.ok(served.messages > 0);
  });

  it('[SIO-1] [WS-1] [WS-2] [HTTP-1] lets nobody in with a wrong secret, however near to the right one', async () => {
    const tallies = await guessSecrets(150, 1);
    assert.equal(tallies.length, 10);
    for (const { door, tried, accepted } of tallies) {
      assert.equal(accepted, 0, door);
      assert.equal(tried, 150, door);
    }
  });

  it('[SIO-1] [HTTP-2] cuts connections that are slow in any way, and serves newcomers of their address meanwhile', async () => {
    const outcomes = await holdConnections(100, silent, [SLOWNESSES]);
    assert.equal(outcomes.length, SLOWNESSES.length);
    for (const { name, opened, held, good, tries } of outcomes) {
      assert.deepEqual({ name, opened, held }, { name, opened: 100, held: 0 });
      assert.ok(tries > 0 && good === tries, `${name}: ${good} of ${tries} newcomers were served`);
    }
  });

  it('makes inputs that name the prototype, nest deeply, repeat keys and exceed numbers', () => {
    let n = 0;
    const below = (limit: number) => {
      n = (n * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((n / 2_147_483_648) * limit);
    };
    const made = Array.from({ length: 5000 }, () => withNastyValue('{"a":{"b":[1]}}', below));
    for (const part of ['"__proto__":', '[[[[', '"a":1,"a":2', '1e400'])
      assert.ok(
        made.some((text) => text.includes(part)),
        part,
      );
  });
});
