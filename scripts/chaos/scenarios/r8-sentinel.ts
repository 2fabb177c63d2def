import { waitFor } from '../../lab/wait.ts';
import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** Sentinel makes the replica the primary, after a crash and after a freeze of the old one, which then comes back. */
export const r8Sentinel: Scenario = {
  name: 'r8',
  rule: 'R8',
  promises: ['LOG-2'],
  title: 'the Redis primary is killed or frozen (in turn) and its replica takes over',
  rig: { sentinels: true },
  full: { repeats: 20, rate: 500, viewers: 100 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  limits: { p99: 15_000 },
  async fault(stage, turn) {
    const { audience, rig } = stage;
    const { sentinels } = rig;
    if (!sentinels) throw new Error('This needs sentinels');
    await anyMoment(stage);
    const old = await sentinels.primary();
    const mark = audience.mark();
    const freeze = turn % 2 === 1;
    if (freeze) old.freeze();
    else await old.kill();
    await waitFor('the fail-over', async () => (await sentinels.primary()) !== old, { timeoutMs: 30_000 });
    stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS }));
    if (freeze) old.thaw();
    else await old.restart();
    // The sentinels take some 10 s to see to that; without another fail-over to come nobody needs it.
    if (turn + 1 === stage.size.repeats) return calm(stage);
    const now = await sentinels.primary();
    await waitFor(
      'the old primary to be a replica',
      async () => /connected_slaves:1/.test(await now.cli('info', 'replication')),
      { timeoutMs: 60_000, everyMs: 100 },
    );
    await calm(stage);
  },
};
