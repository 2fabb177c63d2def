import type { Random } from '../random.ts';
import type { Schedule } from '../schedule.ts';
import type { SimulatedUnit } from '../unit.ts';
import type { Chain } from './chain.ts';

/** What a line generator works with. It plans its lines on the schedule, as a reaction to slots or at random times. */
export interface ServiceDeps {
  unit: SimulatedUnit;
  chain: Chain;
  schedule: Schedule;
  random: Random;
}

/** Runs `event` again and again, `low` to `high` ms apart. */
export function repeat(
  { schedule, random }: Pick<ServiceDeps, 'schedule' | 'random'>,
  low: number,
  high: number,
  event: () => void,
): void {
  const plan = () =>
    schedule.after(low + random() * (high - low), () => {
      event();
      plan();
    });
  plan();
}

/** The parts of a virtual time as the clients print them, in UTC. */
export function clockText(ms: number): { date: string; month: string; monthDay: string; time: string } {
  const iso = new Date(Math.floor(ms)).toISOString();
  const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(Number(iso.slice(5, 7)) * 3 - 3).slice(0, 3);
  return { date: iso.slice(0, 10), month, monthDay: iso.slice(5, 10), time: iso.slice(11, 23) };
}
