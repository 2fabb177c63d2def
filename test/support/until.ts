import { AssertionError } from 'node:assert';

/**
 * Waits until a condition holds. It is asked every few ms; an assertion that throws counts as "not yet".
 *
 * @throws the last assertion, or a sentence, after `timeoutMs`
 */
export async function until(condition: () => unknown, timeoutMs = 5000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let failure: unknown = null;
    try {
      if (await condition()) return;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      failure = error;
    }
    if (Date.now() > deadline)
      throw failure ?? new Error(`condition not met in ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
