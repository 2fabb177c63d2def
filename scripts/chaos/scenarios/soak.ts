import type { Instance } from '../instance.ts';
import { calm, RECOVERY_MS, type Scenario, type Stage, wait } from '../scenario.ts';

/** Breaks one thing and mends it again, without looking at anybody; two of them may go on at the same time. */
type Fault = (stage: Stage, hands: Hands) => Promise<void>;

/** Gives a fault an instance that no other fault has in its hands: the owner, where there is one to have. */
interface Hands {
  take(work: (victim: Instance) => Promise<void>): Promise<void>;
}

function createHands({ rig, random }: Stage): Hands {
  const busy = new Set<Instance>();
  return {
    async take(work) {
      const isFree = (instance: Instance) => !busy.has(instance) && instance.url !== null;
      const owner = (await rig.owners()).find(isFree);
      const victim = owner ?? random.pick(rig.instances.filter(isFree));
      busy.add(victim);
      try {
        await work(victim);
      } finally {
        busy.delete(victim);
      }
    },
  };
}

const moment = ({ random }: Stage, low: number, high: number) => wait(random.between(low, high));

const FAULTS: Readonly<Record<string, Fault>> = {
  'owner kill': (stage, hands) =>
    hands.take(async (victim) => {
      await victim.kill();
      await moment(stage, 0, 3000);
      await victim.start();
    }),
  'owner stop': (stage, hands) =>
    hands.take(async (victim) => {
      const { code, ms } = await victim.terminate();
      if (code !== 0) stage.violation(`${victim.name} ended with ${code} after ${Math.round(ms)} ms`);
      await victim.start();
    }),
  'owner freeze': (stage, hands) =>
    hands.take(async (victim) => {
      victim.signal('SIGSTOP');
      await moment(stage, 500, 6000);
      victim.signal('SIGCONT');
    }),
  'redis restart': async (stage) => {
    const { rig, random } = stage;
    await rig.redis.kill();
    await moment(stage, 100, 3000);
    await rig.redis.restart();
    if (random.next() < 0.5) await rig.redis.cli('flushall');
  },
  'redis freeze': async (stage) => {
    const { rig } = stage;
    rig.redis.freeze();
    await moment(stage, 500, 5000);
    rig.redis.thaw();
  },
  'redis connections': async (stage) => {
    const { rig, random } = stage;
    for (let n = 0; n < 5; n++) {
      const type = random.pick(['pubsub', 'normal']);
      await rig.redis.cli('client', 'kill', 'type', type, 'skipme', 'yes');
      await moment(stage, 50, 600);
    }
  },
  'ssh drop': async (stage) => {
    for (const host of stage.rig.hosts) host.killSshd();
    await moment(stage, 0, 1000);
  },
  'journal rotation': async ({ rig }) => {
    for (const host of rig.hosts) await host.rotate();
  },
  'client drops': async (stage) => {
    const { audience, random, rig } = stage;
    for (const viewer of audience.viewers) {
      if (random.next() > 1 / 3) continue;
      const to = Math.floor(random.next() * rig.instances.length);
      viewer.move({ to, awayMs: random.between(0, 8000) });
    }
    await wait(8000);
  },
  'slow readers': async (stage) => {
    const { audience, random } = stage;
    const slow = audience.viewers.filter(() => random.next() < 1 / 5);
    for (const viewer of slow) viewer.pause();
    await moment(stage, 3000, 8000);
    for (const viewer of slow) viewer.resume();
  },
};
/** Two faults of one kind would be in each other's way. */
const kindOf = (name: string) => name.split(' ')[0];
/** How many turns of three have two faults at once. */
const PAIRS = 1 / 3;

/** Gives every fault once, in an order of its own, before any comes again. */
function createBag({ random }: Stage): (fits: (name: string) => boolean) => string | undefined {
  let bag: string[] = [];
  return (fits) => {
    if (bag.length === 0) bag = Object.keys(FAULTS);
    const fitting = bag.filter(fits);
    const name = fitting[Math.floor(random.next() * fitting.length)];
    bag = bag.filter((other) => other !== name);
    return name;
  };
}

const bags = new WeakMap<Stage, ReturnType<typeof createBag>>();

/** All kinds of faults in a random order, alone and in pairs, for a long time; then nothing may have piled up. */
export const soak: Scenario = {
  name: 'soak',
  rule: 'soak',
  promises: ['LOG-2', 'LOG-4', 'LOG-5'],
  title: 'random faults, alone and in pairs: owner, Redis, SSH, clients, slow readers',
  // Of its own, so that nothing which others left is counted at the beginning.
  rig: {},
  full: { repeats: Number.POSITIVE_INFINITY, minutes: 30, rate: 300, viewers: 60 },
  // Each fault has a short form of its own in its scenario; here it is the counters afterwards that count.
  short: { repeats: 4, rate: 200, viewers: 12 },
  counters: true,
  async fault(stage) {
    const { audience, random } = stage;
    const next = bags.get(stage) ?? createBag(stage);
    bags.set(stage, next);
    const first = next(() => true);
    const isPair = stage.long && random.next() < PAIRS;
    const second = isPair ? next((name) => kindOf(name) !== kindOf(first ?? '')) : undefined;
    const names = [first, second].filter((name) => name !== undefined);
    stage.did(names.join(' with '));
    const hands = createHands(stage);
    await Promise.all(names.map((name) => FAULTS[name]?.(stage, hands)));
    stage.tookOver(await audience.mark().passed({ timeoutMs: RECOVERY_MS }));
    await audience.goHome();
    await calm(stage);
  },
};
