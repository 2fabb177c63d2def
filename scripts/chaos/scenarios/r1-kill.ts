import { anyMoment, calm, othersThan, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** The owner is killed as by a crash; its viewers come back elsewhere, the others must hardly notice. */
export const r1Kill: Scenario = {
  name: 'r1',
  rule: 'R1',
  promises: ['LOG-2', 'LOG-3', 'LOG-5'],
  title: 'the owner is killed (SIGKILL)',
  full: { repeats: 20, rate: 500, viewers: 200 },
  short: { repeats: 2, rate: 200, viewers: 12 },
  limits: { p50: 2500, p99: 4000 },
  leaving: true,
  async fault(stage) {
    const { audience, rig } = stage;
    await anyMoment(stage);
    const owner = await rig.owner();
    const witnesses = othersThan(stage, owner);
    const mark = audience.mark();
    const killed = owner.kill();
    stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS, only: witnesses }));
    await mark.passed({ timeoutMs: RECOVERY_MS });
    await killed;
    await owner.start();
    await audience.goHome();
    await calm(stage);
  },
};
