import { anyMoment, calm, RECOVERY_MS, type Scenario, wait } from '../scenario.ts';

/** How long Redis is away, in ms. */
const AWAY_MS = 2000;
const FROZEN_MS = 10_000;

/** Redis is killed and comes back with its data, comes back empty, or freezes. The journal is the buffer. */
export const r7RedisRestart: Scenario = {
  name: 'r7',
  rule: 'R7',
  promises: ['LOG-2'],
  title: 'Redis is killed for 2 s (data kept, data lost, in turn) or frozen for 10 s',
  full: { repeats: 21, rate: 500, viewers: 100 },
  short: { repeats: 3, rate: 200, viewers: 12 },
  limits: { p99: 5000 },
  async fault(stage, turn) {
    const { audience, rig } = stage;
    await anyMoment(stage);
    if (turn % 3 === 2) {
      rig.redis.freeze();
      await wait(stage.long ? FROZEN_MS : FROZEN_MS / 2);
      rig.redis.thaw();
    } else {
      await rig.redis.kill();
      await wait(AWAY_MS);
      await rig.redis.restart();
      if (turn % 3 === 1) await rig.redis.cli('flushall');
    }
    const mark = audience.mark();
    stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS }));
    await calm(stage);
  },
};
