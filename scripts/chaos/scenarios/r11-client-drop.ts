import { waitFor } from '../../lab/wait.ts';
import { anyMoment, calm, type Scenario } from '../scenario.ts';

/** How long clients are away, in ms, turn by turn; the long ones are rare. */
const AWAY_MS = [1000, 200, 3000, 1000, 30_000, 500, 1000, 119_000];
const SHORT_AWAY_MS = [1000, 200, 3000];

/** Clients lose their connection and come back to another instance. */
export const r11ClientDrop: Scenario = {
  name: 'r11',
  rule: 'R11',
  promises: ['SIO-4'],
  title: 'a third of the clients is away for 0.2 s to 119 s and goes on at another instance',
  full: { repeats: 24, rate: 500, viewers: 100 },
  short: { repeats: 3, rate: 200, viewers: 12 },
  async fault(stage, turn) {
    const { audience, random, rig } = stage;
    await anyMoment(stage);
    const times = stage.long ? AWAY_MS : SHORT_AWAY_MS;
    const awayMs = times[turn % times.length] ?? 1000;
    const gone = audience.viewers.filter(() => random.next() < 1 / 3);
    for (const viewer of gone) viewer.move({ to: (viewer.at + 1) % rig.instances.length, awayMs });
    await waitFor('all clients to be back', () => gone.every((viewer) => viewer.subscribed), {
      timeoutMs: awayMs + 30_000,
    });
    await calm(stage);
  },
};
