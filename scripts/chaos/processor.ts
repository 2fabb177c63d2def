import { readFileSync } from 'node:fs';

/** A piece of time, in ms of performance.now(). */
export interface Span {
  from: number;
  to: number;
}

export const lengthOf = ({ from, to }: Span): number => to - from;

/** How long processes that could run had to wait for a processor. */
export interface Waits {
  /** Takes down how long each process, by its number, has waited until `at`, in ms since it began. */
  sample(at: number, waited: ReadonlyMap<number, number>): void;
  /** The most that one of them waited within the span, in ms; rather too little than too much. */
  within(span: Span): number;
}

/** Longer than any span that is asked for, in ms. */
const KEPT_MS = 120_000;

export function createWaits(): Waits {
  const samples: { at: number; waited: ReadonlyMap<number, number> }[] = [];
  return {
    sample(at, waited) {
      samples.push({ at, waited });
      while ((samples[0]?.at ?? at) < at - KEPT_MS) samples.shift();
    },
    within({ from, to }) {
      const first = samples.find(({ at }) => at >= from);
      const last = samples.findLast(({ at }) => at <= to);
      if (!first || !last || last.at <= first.at) return 0;
      const waits = [...last.waited].map(([pid, ms]) => ms - (first.waited.get(pid) ?? ms));
      return Math.max(0, ...waits);
    },
  };
}

/** Time between two samples, in ms. */
const EVERY_MS = 20;

/**
 * How long the main thread of a process has waited so far, able to run, for a processor: the second number of
 * /proc/PID/schedstat, which is in ns.
 * @returns ms; null where the kernel does not tell
 */
export function waitedMs(pid: number): number | null {
  try {
    const [, waited] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waited) / 1e6;
  } catch {
    return null;
  }
}

/** Watches this process and others until it is stopped. */
export function watchProcessor(others: () => readonly number[]): Pick<Waits, 'within'> & { stop(): void } {
  const waits = createWaits();
  const look = () => {
    const waited = new Map<number, number>();
    for (const pid of [process.pid, ...others()]) {
      const ms = waitedMs(pid);
      if (ms !== null) waited.set(pid, ms);
    }
    waits.sample(performance.now(), waited);
  };
  const timer = setInterval(look, EVERY_MS);
  return { within: waits.within, stop: () => clearInterval(timer) };
}
