import { calm, type Scenario, wait } from '../scenario.ts';

/** Redis drops its clients' connections again and again: those of pub/sub, and all others too. */
export const r9ClientKill: Scenario = {
  name: 'r9',
  rule: 'R9',
  promises: ['LOG-2'],
  title: 'Redis cuts all pub/sub connections, or (in turn) all connections, five times in a row',
  full: { repeats: 20, rate: 500, viewers: 100 },
  short: { repeats: 2, rate: 200, viewers: 12 },
  async fault(stage, turn) {
    const { audience, random, rig } = stage;
    const mark = audience.mark();
    for (let n = 0; n < 5; n++) {
      await rig.redis.cli('client', 'kill', 'type', 'pubsub');
      if (turn % 2 === 1) await rig.redis.cli('client', 'kill', 'type', 'normal', 'skipme', 'yes');
      await wait(random.between(50, 600));
    }
    await mark.passed({ timeoutMs: 10_000 });
    stage.tookOver(audience.viewers.map((viewer) => viewer.longestPause));
    await calm(stage);
  },
};
