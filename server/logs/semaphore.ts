/** At most `slots` holders at a time; the others wait in their order. */
export function createSemaphore(slots: number) {
  let free = slots;
  const waiting: (() => void)[] = [];

  function give(): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = waiting.shift();
      if (next) next();
      else free++;
    };
  }

  return {
    /** Who waits for a slot now. */
    waiting: () => waiting.length,
    /** @returns the function that gives the slot back; an aborted wait gets a free pass, since its holder only cleans up. */
    acquire(signal: AbortSignal): Promise<() => void> {
      if (signal.aborted) return Promise.resolve(() => {});
      if (free > 0) {
        free--;
        return Promise.resolve(give());
      }
      return new Promise((resolve) => {
        const take = () => {
          signal.removeEventListener('abort', giveUp);
          resolve(give());
        };
        const giveUp = () => {
          waiting.splice(waiting.indexOf(take), 1);
          resolve(() => {});
        };
        waiting.push(take);
        signal.addEventListener('abort', giveUp, { once: true });
      });
    },
  };
}
