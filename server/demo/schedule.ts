/** Simulated time: what is due runs in order of its time, one after the other, without real waiting. */
export interface Schedule {
  /** Virtual now, epoch ms: the time of the event that runs, or how far `advance` has come. */
  now(): number;
  /** Runs `event` once, `delayMs` after virtual now. */
  after(delayMs: number, event: () => void): void;
  /** Runs what is due up to `until` (epoch ms), at most `limit` events. @returns true where nothing due is left. */
  advance(until: number, limit?: number): boolean;
  /** When the next event is due, epoch ms; null where there is none. */
  next(): number | null;
}

interface Planned {
  at: number;
  order: number;
  event: () => void;
}

/** Events planned at once. The simulated services plan some dozens; more means that one of them runs away. */
const PLANNED_MAX = 10_000;

/** A schedule that starts at `start`, epoch ms. */
export function createSchedule(start: number): Schedule {
  /** Sorted, soonest last: planning is rare and short, taking is at the end. */
  const planned: Planned[] = [];
  let now = start;
  let order = 0;

  function isLater(a: Planned, b: Planned): boolean {
    return a.at > b.at || (a.at === b.at && a.order > b.order);
  }

  return {
    now: () => now,
    next: () => planned.at(-1)?.at ?? null,
    after(delayMs, event) {
      if (planned.length >= PLANNED_MAX) throw new Error('too many simulated events planned');
      const item = { at: now + Math.max(0, delayMs), order: order++, event };
      let low = 0;
      let high = planned.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const other = planned[middle];
        if (other && isLater(other, item)) low = middle + 1;
        else high = middle;
      }
      planned.splice(low, 0, item);
    },
    advance(until, limit = Number.POSITIVE_INFINITY) {
      for (let ran = 0; ran < limit; ran++) {
        const next = planned.at(-1);
        if (!next || next.at > until) {
          now = Math.max(now, until);
          return true;
        }
        planned.pop();
        now = Math.max(now, next.at);
        next.event();
      }
      return false;
    },
  };
}
