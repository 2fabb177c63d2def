import { setTimeout as wait } from 'node:timers/promises';

/** Waits `ms` milliseconds, or until the signal aborts; never rejects and leaves no listener behind. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, signal ? { signal } : {});
  } catch {
    // Aborted: waking early is the point.
  }
}

/** A full-jitter back-off: doubles from `baseMs` up to `maxMs`, half of it random so that many do not retry in step. */
export function backoff(attempt: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 20));
  return full / 2 + (Math.random() * full) / 2;
}
