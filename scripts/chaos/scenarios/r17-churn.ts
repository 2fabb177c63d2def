import { readdirSync } from 'node:fs';
import { calm, type Scenario, type Stage, wait } from '../scenario.ts';

/** Comings and goings of one turn, and clients that do them at once. */
const ROUNDS = 15;
const CLIENTS = 30;
/** Descriptors that may come and go by themselves. */
const FDS_SLACK = 30;

function descriptors(stage: Stage): number[] {
  return stage.rig.instances.map(({ pid }) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      return 0;
    }
  });
}

/** Clients come and go all the time, on two units, while others watch. */
export const r17Churn: Scenario = {
  name: 'r17',
  rule: 'R17',
  promises: ['LOG-5'],
  title: `${CLIENTS} clients subscribe and leave ${ROUNDS} times each, without manners`,
  full: { repeats: 20, rate: 300, viewers: 60 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  leaving: true,
  async fault(stage) {
    const { rig, random } = stage;
    const before = descriptors(stage);
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, n) => {
        for (let round = 0; round < ROUNDS; round++) {
          const unit = random.next() < 0.5 ? 'execution' : 'consensus';
          const viewer = stage.makeViewer(n % rig.instances.length, unit);
          viewer.start();
          // Some leave before they are answered.
          await wait(random.between(5, 250));
          viewer.leave();
        }
      }),
    );
    await calm(stage);
    await wait(1000);
    const after = descriptors(stage);
    const grown = after.map((count, n) => count - (before[n] ?? 0));
    if (grown.some((count) => count > FDS_SLACK)) stage.violation(`descriptors grew by ${grown.join(' ')}`);
  },
};
