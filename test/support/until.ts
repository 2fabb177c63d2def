import { AssertionError } from 'node:assert';
import { startStopwatch } from './stopwatch.ts';

/** Long enough for what takes milliseconds, also on a machine that is busy with other things; no promise of the product. */
const PATIENCE_MS = 20_000;

/**
 * Waits until a condition holds. It is asked every few ms; an assertion that throws counts as "not yet".
 *
 * @param timeoutMs only where a promise is tested, such as "within 1 s"; counted by a stopwatch (stopwatch.ts)
 * @throws the last assertion, or a sentence, after that time
 */
export async function until(condition: () => unknown, timeoutMs = PATIENCE_MS): Promise<void> {
  const waited = startStopwatch();
  for (;;) {
    let failure: unknown = null;
    try {
      if (await condition()) return;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      failure = error;
    }
    if (waited() > timeoutMs)
      throw failure ?? new Error(`condition not met in ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
