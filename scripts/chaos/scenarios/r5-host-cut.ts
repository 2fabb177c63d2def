import { waitFor } from '../../lab/wait.ts';
import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** No packet passes between the owner and the host any more; it must notice and leave the stream to the others. */
export const r5HostCut: Scenario = {
  name: 'r5',
  rule: 'R5',
  promises: ['LOG-2'],
  title: 'the owner alone is cut from the host: all packets are lost, without an error',
  rig: { hostPaths: true },
  full: { repeats: 20, rate: 300, viewers: 60 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  // Three keepalives of 5 s that stay unanswered, and what follows an SSH connection's end.
  limits: { p99: 20_000 },
  async fault(stage) {
    const { audience, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const owner = await rig.owner();
    const path = rig.hostPaths[rig.instances.indexOf(owner)];
    await path?.cut();
    try {
      audience.mark();
      await rig.owner({ otherThan: owner, timeoutMs: RECOVERY_MS });
      // Its own viewers are served from the stream, which another instance feeds.
      await audience.flowing({ timeoutMs: RECOVERY_MS });
      stage.tookOver(audience.viewers.map((viewer) => viewer.longestPause));
      await calm(stage);
      if ((await rig.owner()) === owner)
        stage.violation('an instance without a way to the host owns the stream');
    } finally {
      await path?.restore();
    }
    await calm(stage);
    if (!stage.long) return;
    // TCP tells the host of the old connection's end when it next repeats something: some 10 s later.
    const readers = () => host?.countProcesses(/journalctl.*--follow/);
    await waitFor('one reader on the host', () => readers() === 1, { timeoutMs: RECOVERY_MS });
  },
};
