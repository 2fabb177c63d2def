/** Runs of which the cheapest counts: a busy machine, a collection of garbage or code not yet compiled stretch some. */
const RUNS = 5;

/** CPU time in ms of the cheapest of a few runs of something that is synchronous. */
export function cheapest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < RUNS; n++) {
    const start = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}
