import type { Logger, Stoppable } from './types.ts';

/** What was started in one process, to be stopped in reverse order. */
export interface Lifecycle extends Stoppable {
  /**
   * Registers something started. Added after the stop has begun, it is stopped at once.
   * @param options.timeoutMs how long its stop may take before the next one is stopped; 3000
   */
  add(name: string, part: Stoppable | (() => Promise<void> | void), options?: { timeoutMs?: number }): void;
  /** True from the first call of `stop` on. */
  readonly stopping: boolean;
  /** Stops everything once; later calls share the promise. Never rejects. */
  stop(): Promise<void>;
}

/** Longest stop of one part, in ms, unless it says otherwise. */
const PART_TIMEOUT_MS = 3000;
/** Longest stop of all parts together, in ms: below the 10 s that [RUN-5] allows a process to end. */
const TOTAL_TIMEOUT_MS = 8500;

/**
 * Collects what a process starts. A part that fails or hangs while stopping is logged and left behind, so that it
 * cannot keep the others from stopping.
 */
export function createLifecycle(deps: { logger: Logger; totalTimeoutMs?: number }): Lifecycle {
  const parts: { name: string; stop: () => Promise<void> | void; timeoutMs: number }[] = [];
  let stopped: Promise<void> | undefined;

  async function stopPart(part: (typeof parts)[number], allowedMs: number): Promise<void> {
    const began = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<'timeout'>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), Math.max(0, allowedMs));
    });
    try {
      const work = Promise.resolve(part.stop());
      if ((await Promise.race([work, timeout])) === 'timeout') {
        deps.logger.warn('A part did not stop in time', { part: part.name, allowedMs });
        work.catch((error: unknown) => deps.logger.warn('A part failed to stop', { part: part.name, error }));
      }
    } catch (error) {
      deps.logger.warn('A part failed to stop', { part: part.name, error });
    } finally {
      clearTimeout(timer);
      deps.logger.debug('Part stopped', { part: part.name, ms: performance.now() - began });
    }
  }

  async function stopAll(): Promise<void> {
    const end = performance.now() + (deps.totalTimeoutMs ?? TOTAL_TIMEOUT_MS);
    for (let part = parts.pop(); part; part = parts.pop()) {
      await stopPart(part, Math.min(part.timeoutMs, end - performance.now()));
    }
  }

  return {
    add(name, part, options = {}) {
      const entry = {
        name,
        stop: typeof part === 'function' ? part : () => part.stop(),
        timeoutMs: options.timeoutMs ?? PART_TIMEOUT_MS,
      };
      if (stopped) void stopPart(entry, entry.timeoutMs);
      else parts.push(entry);
    },
    get stopping() {
      return stopped !== undefined;
    },
    stop() {
      stopped ??= stopAll();
      return stopped;
    },
  };
}
