import { anyMoment, calm, othersThan, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** A deploy: each instance in turn is asked to end (SIGTERM) and started anew. */
export const r3Rolling: Scenario = {
  name: 'r3',
  rule: 'R3',
  promises: ['LOG-2', 'LOG-3', 'RUN-5'],
  title: 'every instance is stopped in order (SIGTERM) and started again',
  full: { repeats: 7, rate: 500, viewers: 200 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  limits: { p99: 1000 },
  async fault(stage) {
    const { audience, rig } = stage;
    for (const instance of rig.instances) {
      await anyMoment(stage);
      const owned = (await rig.owner()) === instance;
      const witnesses = othersThan(stage, instance);
      const mark = audience.mark();
      const { code, ms } = await instance.terminate();
      if (code !== 0) stage.violation(`${instance.name} ended with ${code} after ${Math.round(ms)} ms`);
      await mark.passed({ timeoutMs: RECOVERY_MS });
      await rig.owner();
      // What came before the new owner's first line came from the old one: the pause lies in between.
      await audience.flowing({ timeoutMs: RECOVERY_MS });
      if (owned) stage.tookOver(witnesses.map((viewer) => viewer.longestPause));
      await instance.start();
      await audience.goHome();
      await calm(stage);
    }
  },
};
