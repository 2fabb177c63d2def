import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** An owner whose viewers have all gone elsewhere gives the stream up by itself; nobody may notice. */
export const ownerLeft: Scenario = {
  name: 'left',
  rule: 'LOG-5',
  promises: ['LOG-2', 'LOG-5'],
  title: "the owner's last viewer goes to another instance",
  full: { repeats: 10, rate: 500, viewers: 60 },
  short: { repeats: 1, rate: 200, viewers: 6 },
  limits: { p99: 1000 },
  async fault(stage) {
    const { audience, rig } = stage;
    await anyMoment(stage);
    const owner = await rig.owner();
    const index = rig.instances.indexOf(owner);
    const witnesses = audience.viewers.filter((viewer) => viewer.at !== index);
    for (const viewer of audience.viewers) if (viewer.at === index) viewer.move({ to: index + 1 });
    audience.mark();
    await rig.owner({ otherThan: owner, timeoutMs: RECOVERY_MS });
    await audience.flowing({ timeoutMs: RECOVERY_MS });
    stage.tookOver(witnesses.map((viewer) => viewer.longestPause));
    await calm(stage);
    await audience.goHome();
    await calm(stage);
  },
};
