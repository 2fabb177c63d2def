import { waitFor } from '../../lab/wait.ts';
import { anyMoment, calm, type Scenario, wait } from '../scenario.ts';

/** So much is printed while the clients are away that no instance holds it any more (4 MiB a stream). */
const AWAY_MS = 6000;
/** Longer than any turn. */
const UNTIL_CALLED_MS = 600_000;

/** Clients come back for lines that the journal has forgotten meanwhile: `recovered: false`, and a notice with a reason. */
export const r15Away: Scenario = {
  name: 'r15b',
  rule: 'R15',
  promises: ['SIO-4'],
  title: 'a third of the clients is away while the journal is vacuumed of what they have not seen',
  gaps: true,
  lineBytes: 3000,
  full: { repeats: 10, rate: 400, viewers: 12 },
  short: { repeats: 1, rate: 400, viewers: 6 },
  async fault(stage) {
    const { audience, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const gone = audience.viewers.filter((_, n) => n % 3 === 0);
    const before = gone.map((viewer) => viewer.unrecovered);
    for (const viewer of gone) viewer.move({ awayMs: UNTIL_CALLED_MS });
    await wait(AWAY_MS);
    // Only full journal files are vacuumed: after the rotation the truth cannot grow by a line that goes unnoticed.
    await host?.rotate();
    await stage.remember();
    await host?.exec(['journalctl', '--vacuum-size=1']);
    for (const viewer of gone) viewer.move({ to: (viewer.home + 1) % rig.instances.length });
    await waitFor('all clients to be back', () => gone.every((viewer) => viewer.subscribed), {
      timeoutMs: 30_000,
    });
    const told = gone.filter((viewer, n) => viewer.unrecovered > (before[n] ?? 0)).length;
    if (told < gone.length)
      stage.violation(`${gone.length - told} of ${gone.length} were not told recovered: false`);
    await calm(stage);
  },
};
