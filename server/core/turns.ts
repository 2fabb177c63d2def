/**
 * Lets work that comes in pieces run one piece a round of the event loop, in the order it was asked for. Without it many
 * busy readers, each of which yields to microtasks only, keep timers and sockets waiting for as long as all of them have
 * something to do.
 *
 * @returns asks for a turn; the promise resolves when it is there
 */
export function createTurns(): () => Promise<void> {
  /** Bounded by the readers there are: each waits for its own turn before it asks again. */
  const waiting: (() => void)[] = [];

  function next(): void {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(next);
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(next);
    });
}
