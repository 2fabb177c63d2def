import { RELAYED } from '../rig.ts';
import { anyMoment, calm, othersThan, RECOVERY_MS, type Scenario, wait } from '../scenario.ts';

/** The owner reads on but cannot append: another one must take over, and its viewers get all when Redis is back. */
export const r4RedisCut: Scenario = {
  name: 'r4',
  rule: 'R4',
  promises: ['LOG-2'],
  title: 'the owner is cut from Redis only (silence and resets in turn)',
  rig: RELAYED,
  full: { repeats: 20, rate: 500, viewers: 100 },
  short: { repeats: 2, rate: 200, viewers: 12 },
  limits: { p99: 8000 },
  async fault(stage, turn) {
    const { audience, random, rig } = stage;
    await anyMoment(stage);
    const owner = await rig.owner();
    const relay = rig.redisRelays[rig.instances.indexOf(owner)];
    const witnesses = othersThan(stage, owner);
    const mark = audience.mark();
    if (turn % 2 === 0) relay?.hang();
    else relay?.cut();
    try {
      stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS, only: witnesses }));
      await wait(random.between(500, stage.long ? 8000 : 2000));
    } finally {
      relay?.restore();
    }
    await calm(stage);
    await rig.owner();
  },
};
