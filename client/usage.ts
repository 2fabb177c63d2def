/**
 * How long something stays in use after its last user has gone, in ms. React's StrictMode mounts twice and a change of
 * tab unmounts and mounts again: neither may leave and join a stream on the server.
 */
export const LINGER_MS = 5000;

export interface Usage {
  /** @returns the release; calling it twice counts once */
  retain(): () => void;
  readonly inUse: boolean;
  /** Ends a lingering use now. */
  flush(): void;
}

/** Counts users: `start` runs for the first one, `end` when the last one has been gone for `lingerMs`. */
export function createUsage(deps: { start(): void; end(): void; lingerMs?: number }): Usage {
  const lingerMs = deps.lingerMs ?? LINGER_MS;
  let users = 0;
  let started = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  function stopTimer(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  }

  function end(): void {
    stopTimer();
    if (users > 0 || !started) return;
    started = false;
    deps.end();
  }

  return {
    retain() {
      users += 1;
      stopTimer();
      if (!started) {
        started = true;
        deps.start();
      }
      let released = false;
      return () => {
        if (released) return;
        released = true;
        users -= 1;
        if (users === 0) timer = setTimeout(end, lingerMs);
      };
    },
    get inUse() {
      return started;
    },
    flush() {
      if (timer !== null) end();
    },
  };
}
