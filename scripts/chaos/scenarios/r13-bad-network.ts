import type { Relay } from '../relay.ts';
import { RELAYED } from '../rig.ts';
import { calm, type Scenario, wait } from '../scenario.ts';

/** 200 ms give or take 100 for there and back. */
const DELAY_MS = 100;
const JITTER_MS = 50;
/** Silences, in ms: shorter than the lease, so that nobody has a reason to take over. */
const BLACKHOLE_MS = 700;

/** Every way is slow and uneven, and now and then one is silent for a moment. */
export const r13BadNetwork: Scenario = {
  name: 'r13',
  rule: 'R13',
  promises: ['LOG-2'],
  title: '200 ms (±100) on the ways to Redis, the host and the viewers, with short silences',
  rig: RELAYED,
  full: { repeats: 20, rate: 300, viewers: 60 },
  short: { repeats: 4, rate: 150, viewers: 12 },
  async fault(stage, turn) {
    const { audience, random, rig } = stage;
    const ssh = rig.sshRelay ? [rig.sshRelay] : [];
    const ways: readonly (readonly Relay[])[] = [rig.redisRelays, ssh, rig.viewerRelays];
    for (const relay of ways.flat()) relay.delay(DELAY_MS, JITTER_MS);
    await wait(stage.long ? 2000 : 1000);
    const before = await rig.owner();
    const mark = audience.mark();
    const silent = ways[turn % 4];
    if (silent) {
      for (const relay of silent) relay.hang();
      await wait(random.between(200, BLACKHOLE_MS));
      for (const relay of silent) relay.restore();
    }
    await wait(1500);
    await mark.passed({ timeoutMs: 20_000 });
    stage.tookOver(audience.viewers.map((viewer) => viewer.longestPause));
    if ((await rig.owner()) !== before) stage.violation('the owner changed without need');
    for (const relay of ways.flat()) relay.delay(0);
    await calm(stage);
  },
};
