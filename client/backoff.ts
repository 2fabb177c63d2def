export interface BackoffOptions {
  /** Upper end of the first wait, in ms. */
  baseMs?: number;
  /** No wait is longer, in ms. */
  maxMs?: number;
  /** 0 <= x < 1; Math.random unless told. */
  random?: () => number;
}

/** Short enough to go unnoticed when only a proxy hiccuped. */
const BASE_MS = 500;
/** A dashboard left open overnight should be back soon after the server is. */
const MAX_MS = 15_000;

/**
 * Wait before the n-th attempt (1, 2, ...), in ms: doubling, with the upper half at random, so that the clients of one
 * lost instance do not all come back in the same moment.
 */
export function backoffDelay(attempt: number, options: BackoffOptions = {}): number {
  const { baseMs = BASE_MS, maxMs = MAX_MS, random = Math.random } = options;
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(spread(ceiling, random));
}

/** A time in the upper half of `ms`. */
export function spread(ms: number, random: () => number = Math.random): number {
  return ms * (0.5 + random() / 2);
}
