import type { SimulatedHost } from './host.ts';

/** Events simulated in one go before others get their turn: a few milliseconds. */
const SLICE_EVENTS = 500;
/** Longest sleep of the timer, in ms, so that a clock that was set is noticed. */
const SLEEP_MAX_MS = 1_000;

/**
 * Keeps a simulated host at the time of a clock, by one timer. After a pause of the machine it catches up in slices.
 *
 * @returns a function that ends it; idempotent
 */
export function runLive(host: SimulatedHost, clock: { now(): number }): () => void {
  let timer: NodeJS.Timeout;
  function tick(): void {
    const now = clock.now();
    const done = host.advance(now, SLICE_EVENTS);
    const next = host.next() ?? now + SLEEP_MAX_MS;
    timer = setTimeout(tick, done ? Math.min(SLEEP_MAX_MS, Math.max(1, next - now)) : 0);
    timer.unref();
  }
  tick();
  return () => clearTimeout(timer);
}
