import type { Clock } from '../../server/status/types.ts';

export interface FakeClock extends Clock {
  /** Lets `ms` pass: every timer runs at its time, and what it sets off settles before the next one. */
  advance(ms: number): Promise<void>;
  /** Timers that have not run yet. */
  pending(): number;
}

/** Lets promise chains run on until they wait for a timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Time that stands still unless a test lets it pass. */
export function createFakeClock(start = Date.parse('2026-01-01T00:00:00Z')): FakeClock {
  let now = start;
  const timers = new Set<{ at: number; run: () => void }>();

  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const [next] = [...timers].sort((a, b) => a.at - b.at);
        if (next === undefined || next.at > end) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = end;
    },
    pending: () => timers.size,
  };
}
