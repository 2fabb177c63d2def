/**
 * Longest time a notification waits, in ms. Browsers do not run animation frames in hidden tabs; there, and in Node,
 * this timer does it.
 */
const HIDDEN_INTERVAL = 250;
/** The interval where there are no animation frames at all, in ms. */
const PLAIN_INTERVAL = 16;

export interface Frame {
  /** Asks for one call of the callback; further requests until then are the same one. */
  request(): void;
  cancel(): void;
}

/** Calls back at most once per animation frame, however often asked, so that a burst of lines is one render. */
export function createFrame(callback: () => void): Frame {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let animation: number | null = null;

  function cancel(): void {
    if (timer !== null) clearTimeout(timer);
    if (animation !== null) cancelAnimationFrame(animation);
    timer = null;
    animation = null;
  }

  function run(): void {
    cancel();
    callback();
  }

  return {
    request() {
      if (timer !== null) return;
      const animated = typeof requestAnimationFrame === 'function';
      timer = setTimeout(run, animated ? HIDDEN_INTERVAL : PLAIN_INTERVAL);
      if (animated) animation = requestAnimationFrame(run);
    },
    cancel,
  };
}
