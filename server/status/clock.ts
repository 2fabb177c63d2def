import { steadyNow } from '../core/steady-time.ts';
import type { Clock } from './types.ts';

/** Time that goes on evenly, whatever is done to the machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => steadyNow(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
