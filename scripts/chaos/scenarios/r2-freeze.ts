import { waitFor } from '../../lab/wait.ts';
import { anyMoment, calm, othersThan, RECOVERY_MS, type Scenario, wait } from '../scenario.ts';

/** The owner's own reader on the host is gone this long after it woke up, in ms. */
const ZOMBIE_MS = 2000;

/** The owner stops for longer than its lease and wakes up with lines in its hands that others have delivered meanwhile. */
export const r2Freeze: Scenario = {
  name: 'r2',
  rule: 'R2',
  promises: ['LOG-2'],
  title: 'the owner is frozen (SIGSTOP) for some seconds and wakes up as a zombie',
  full: { repeats: 20, rate: 500, viewers: 100 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  limits: { p50: 2500, p99: 4000 },
  async fault(stage, turn) {
    const { audience, random, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const owner = await rig.owner();
    const witnesses = othersThan(stage, owner);
    const mark = audience.mark();
    owner.signal('SIGSTOP');
    try {
      stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS, only: witnesses }));
      await wait(stage.long && turn % 7 === 6 ? 30_000 : random.between(500, 4000));
    } finally {
      owner.signal('SIGCONT');
    }
    const awake = performance.now();
    await waitFor('one reader on the host', () => host?.countProcesses(/journalctl.*--follow/) === 1, {
      everyMs: 10,
    });
    const ms = Math.round(performance.now() - awake);
    if (ms > ZOMBIE_MS) stage.violation(`two readers on the host until ${ms} ms after the zombie woke up`);
    await mark.passed({ timeoutMs: RECOVERY_MS });
    if ((await rig.owner()) === owner) stage.violation('the zombie owns the stream again');
    await calm(stage);
  },
};
