import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** What a killed and what a silent connection may cost, in ms. */
const KILL_MS = 2000;
const HANG_MS = 20_000;

/** The SSH connections die at once or stand still. */
export const r6Sshd: Scenario = {
  name: 'r6',
  rule: 'R6',
  promises: ['LOG-2'],
  title: 'the sshd of every connection is killed, or (each fourth time) stands still',
  full: { repeats: 20, rate: 500, viewers: 100 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  async fault(stage, turn) {
    const { audience, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const hang = turn % 4 === 3;
    const mark = audience.mark();
    host?.killSshd(hang ? 'SIGSTOP' : 'SIGKILL');
    try {
      const times = stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS }));
      const slowest = Math.round(Math.max(...times));
      const limit = hang ? HANG_MS : KILL_MS;
      if (slowest > limit)
        stage.violation(`lines after ${slowest} ms (${hang ? 'hang' : 'kill'}, bound ${limit})`);
    } finally {
      if (hang) host?.killSshd('SIGCONT');
    }
    await calm(stage);
  },
};
