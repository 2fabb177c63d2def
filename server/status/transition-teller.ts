import type { StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import type { Change, createMessageLog } from './transitions.ts';
import type { Clock, LastLines } from './types.ts';

/** Last lines told with a change. */
const LINES = 10;
/** Time for reading them, in ms; a transition without its lines beats one that comes late. */
const LINES_TIMEOUT = 2_000;
/** Longest line told, in characters. */
const LINE_MAX = 2_000;
/** Changes of one moment whose lines are read; after a reboot all units change at once. */
const LINES_FOR = 8;
/** A poll may see a change before the journal tells of it (journald wakes readers after up to 250 ms): wait, in ms. */
const CAUSE_WAIT = 400;
/** Changes waiting to be told. A host that changes faster is told without lines and causes. */
const WAITING_MAX = 32;

/** Completes changes to transitions, with cause and last lines, and tells them in order. */
export function createTransitionTeller(deps: {
  lastLines?: LastLines;
  clock: Clock;
  logger: Logger;
  messages: ReturnType<typeof createMessageLog>;
  signal: AbortSignal;
  /** Whether systemd's messages are followed, so that waiting for one may help. */
  isWatching(): boolean;
  onTransitions(transitions: StatusTransition[]): void;
}) {
  const { lastLines, clock, messages, signal } = deps;
  let queue: Promise<void> = Promise.resolve();
  let waiting = 0;

  /** Waits `ms`, or shorter where the poll is stopped. */
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = clock.after(ms, done);
      signal.addEventListener('abort', done);
    });

  async function linesOf(service: string, untilMs: number, target: SshTarget | null): Promise<string[]> {
    if (lastLines === undefined || target === null) return [];
    const limit = new AbortController();
    const cancel = clock.after(LINES_TIMEOUT, () => limit.abort());
    try {
      const query = { count: LINES, untilMs };
      const lines = await lastLines(target, service, query, {
        signal: AbortSignal.any([signal, limit.signal]),
      });
      return lines.slice(-LINES).map((line) => line.slice(0, LINE_MAX));
    } catch (error) {
      deps.logger.debug('no lines for a transition', { host: target.host, service, error: String(error) });
      return [];
    } finally {
      cancel();
    }
  }

  async function complete(
    change: Change,
    unit: UnitStatus | undefined,
    seenAt: number,
    target: SshTarget | null,
  ) {
    const message = messages.take(change);
    const at = message?.at ?? (unit?.since === undefined ? seenAt : Date.parse(unit.since));
    // `since` knows whole seconds only, so lines of the rest of that second may belong to the change as well.
    const untilMs = message?.at ?? at + 999;
    return {
      ...change,
      at: new Date(at).toISOString(),
      cause: message?.text ?? '',
      lines: await linesOf(change.service, untilMs, target),
    };
  }

  async function tellNow(changes: Change[], units: UnitStatus[], seenAt: number, target: SshTarget | null) {
    const hurry = waiting > WAITING_MAX;
    const missing = changes.some((change) => !messages.has(change.service));
    if (missing && !hurry && deps.isWatching() && !signal.aborted) await pause(CAUSE_WAIT);
    const transitions: StatusTransition[] = [];
    for (const [at, change] of changes.entries()) {
      const unit = units.find((candidate) => candidate.service === change.service);
      transitions.push(await complete(change, unit, seenAt, hurry || at >= LINES_FOR ? null : target));
    }
    if (!signal.aborted) deps.onTransitions(transitions);
  }

  return {
    /** Tells these changes after those before them; `target` is the login for reading the lines. */
    tell(changes: Change[], units: UnitStatus[], target: SshTarget | null) {
      const seenAt = clock.now();
      waiting += changes.length;
      queue = queue
        .then(() => tellNow(changes, units, seenAt, target))
        .catch((error) => deps.logger.error('transition not told', { error: String(error) }))
        .finally(() => {
          waiting -= changes.length;
        });
    },
    /** Settles when everything has been told or given up. */
    idle: () => queue,
  };
}
