import { percentile } from '../checker.ts';
import { anyMoment, calm, type Scenario, wait } from '../scenario.ts';

/** How long the slow ones do not read, in ms, and how many of all they are. */
const PAUSE_MS = 12_000;
const SHARE = 1 / 5;
/** [LOG-4], and what an instance may grow besides, in MiB. */
const PER_VIEWER_MIB = 4;
const SLACK_MIB = 48;

/** Some viewers stop reading while much is printed. They cost little, get everything later, and the others do not notice. */
export const r18SlowReaders: Scenario = {
  name: 'r18',
  rule: 'R18',
  promises: ['LOG-4'],
  title: 'a fifth of the viewers does not read for 12 s',
  lineBytes: 600,
  full: { repeats: 5, rate: 2000, viewers: 30 },
  short: { repeats: 1, rate: 1000, viewers: 9 },
  async fault(stage) {
    const { audience, random, rig } = stage;
    await anyMoment(stage);
    const quiet = audience.mark();
    await wait(stage.long ? 5000 : 2000);
    await quiet.passed({ timeoutMs: 10_000 });
    const usual = percentile(
      audience.viewers.flatMap((viewer) => viewer.delays),
      0.99,
    );
    const slow = audience.viewers.filter(() => random.next() < SHARE);
    const others = audience.viewers.filter((viewer) => !slow.includes(viewer));
    const before = rig.instances.map((instance) => instance.rss());
    audience.mark();
    for (const viewer of slow) viewer.pause();
    await wait(stage.long ? PAUSE_MS : PAUSE_MS / 2);
    const grown = rig.instances.map((instance, n) => (instance.rss() - (before[n] ?? 0)) / 1_048_576);
    const delay = percentile(
      others.flatMap((viewer) => viewer.delays),
      0.99,
    );
    for (const viewer of slow) viewer.resume();
    stage.note(
      `${slow.length} slow: others' p99 delay ${usual.toFixed(0)}→${delay.toFixed(0)} ms, RSS by ${grown.map(Math.round).join(' ')} MiB`,
    );
    grown.forEach((mib, n) => {
      const here = slow.filter((viewer) => viewer.at === n).length;
      if (mib > PER_VIEWER_MIB * here + SLACK_MIB)
        stage.violation(`an instance with ${here} slow viewers grew by ${Math.round(mib)} MiB`);
    });
    await calm(stage);
  },
};
