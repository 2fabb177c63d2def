import { markdownTable } from '../markdown-table.ts';
import { DOOR_SECRETS, type Door, openDoors } from './doors.ts';
import { guess } from './guesses.ts';
import { generator } from './mutate.ts';
import { startTarget } from './target.ts';
import { CONTROL, measureTimings, T_MAX } from './timing.ts';

/** Guesses under way at one door. */
const PARALLEL = 16;
const ROOM = 'guessed';

export interface DoorTally {
  door: string;
  tried: number;
  accepted: number;
}

/** Tries wrong secrets at one door, with the right one before and after: a door that nobody gets through proves nothing. */
async function tryDoor(door: Door, count: number, below: (limit: number) => number): Promise<DoorTally> {
  const requireOpen = async () => {
    if (!(await door.tries(door.secret))) throw new Error(`${door.name}: the right secret is refused`);
  };
  await requireOpen();
  let tried = 0;
  let accepted = 0;
  const worker = async () => {
    while (tried < count) {
      let wrong = guess(door.secret, below);
      while (door.isSame?.(wrong)) wrong = guess(door.secret, below);
      tried += 1;
      if (await door.tries(wrong)) accepted += 1;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  await requireOpen();
  return { door: door.name, tried, accepted };
}

/**
 * Guesses secrets at every door of a server that asks for one (fault S6). The limits on requests are lifted, so that each
 * guess is looked at.
 *
 * @param count guesses at each door
 */
export async function guessSecrets(
  count: number,
  seed: number,
  report: (text: string) => void = () => {},
): Promise<DoorTally[]> {
  const random = generator(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  // Long enough for one connection to try them all.
  const target = await startTarget(ROOM, { ...DOOR_SECRETS, HTTP_RATE: '1000000', AUTH_TIMEOUT: '300' });
  try {
    const doors = await openDoors(target, ROOM);
    try {
      const tallies: DoorTally[] = [];
      for (const door of doors.list) {
        report(door.name);
        tallies.push(await tryDoor(door, count, below));
      }
      const fault = target.fault();
      if (fault !== null) throw new Error(fault);
      return tallies;
    } finally {
      doors.stop();
    }
  } finally {
    await target.stop();
  }
}

/**
 * Guesses secrets, and measures whether the time of a comparison tells how much of a guess is right.
 *
 * @param count guesses at each door, and measured comparisons of each kind
 * @throws Error where a guess is accepted, a time tells something, or the measurement could not have told
 */
export async function fuzzTokens(count: number, seed: number, report: (text: string) => void): Promise<void> {
  const tallies = await guessSecrets(count, seed, report);
  const row = ({ door, tried, accepted }: DoorTally) => [door, String(tried), String(accepted)];
  report(`\n${markdownTable(['Door', 'Guesses', 'Accepted'], tallies.map(row))}\n`);
  const timings = await measureTimings(count, seed);
  report(
    markdownTable(
      ['Comparison', 'No prefix, ns', 'Right prefix, ns', 't'],
      timings.map(({ name, means, t }) => [name, ...means.map((mean) => mean.toFixed(0)), t.toFixed(2)]),
    ),
  );
  const open = tallies.filter(({ accepted }) => accepted > 0);
  if (open.length > 0) throw new Error(`accepted wrong secrets: ${open.map(({ door }) => door).join(', ')}`);
  const telling = timings.filter(({ name, t }) => name !== CONTROL && Math.abs(t) >= T_MAX);
  if (telling.length > 0) throw new Error(`the time tells: ${telling.map(({ name }) => name).join(', ')}`);
  if (!timings.some(({ name, t }) => name === CONTROL && Math.abs(t) >= T_MAX))
    throw new Error('a comparison that tells by its time was not found out: the machine is too busy to say');
  report(`\nNothing accepted; |t| below ${T_MAX} for every comparison but the one that is meant to tell.`);
}
