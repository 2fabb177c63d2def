/**
 * Polls until `probe` returns something other than `undefined` or `false`.
 *
 * @throws Error with `what` (and what `describe` adds) after `timeoutMs`.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeoutMs?: number; everyMs?: number; describe?: () => string | Promise<string> } = {},
): Promise<T> {
  const { timeoutMs = 10_000, everyMs = 25 } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() >= deadline) {
      const more = options.describe ? `\n${await options.describe()}` : '';
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}${more}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
