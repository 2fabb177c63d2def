import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** The journal forgets, between two owners, lines that nobody has read: that must be said, to every viewer. */
export const r15Vacuum: Scenario = {
  name: 'r15',
  rule: 'R15',
  promises: ['SIO-4'],
  title: 'the owner is killed and the journal vacuumed before the next one reads it',
  gaps: true,
  full: { repeats: 20, rate: 300, viewers: 60 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  async fault(stage) {
    const { audience, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const owner = await rig.owner();
    const mark = audience.mark();
    await owner.kill();
    // Only full journal files are vacuumed: after the rotation the truth cannot grow by a line that goes unnoticed.
    await host?.rotate();
    await stage.remember();
    await host?.exec(['journalctl', '--vacuum-size=1']);
    stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS }));
    await owner.start();
    await audience.goHome();
    await calm(stage);
  },
};
