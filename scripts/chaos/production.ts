import type { LabHost } from '../lab/host.ts';

/** Lines that go on at a rate until they are stopped: `PREFIXseq=N`. */
export interface Production {
  /** Lines asked for so far. */
  readonly count: number;
  readonly prefix: string;
  /** Ends it; resolves when the host has printed what was begun. */
  stop(): Promise<void>;
}

/** A unit is asked for so many ms of lines at a time, so that they can end soon. */
const STEP_MS = 500;

export function startProduction(host: LabHost, unit: string, rate: number, prefix: string): Production {
  let stopped = false;
  let count = 0;
  const step = Math.max(1, Math.round((rate * STEP_MS) / 1000));
  async function run(): Promise<void> {
    while (!stopped) {
      const start = count + 1;
      count += step;
      await host.produce(unit, { rate, count: step, start, prefix });
    }
  }
  const running = run();
  // Reported by `stop`.
  running.catch(() => {});
  return {
    prefix,
    get count() {
      return count;
    },
    stop() {
      stopped = true;
      return running;
    },
  };
}
