import { normalizeUnit } from '../../shared/unit-name.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import type { Clock, FollowJournal, SystemdRecord } from './types.ts';

/** What systemd said about one unit, or about itself (`service` null: it read its unit files anew). */
export interface SystemdMessage {
  service: string | null;
  /** MESSAGE_ID, 32 hex digits; empty where systemd gave none. */
  messageId: string;
  /** The sentence, without the unit name in front of it. */
  text: string;
  /** Epoch ms by the host's clock. */
  at: number;
  jobResult?: string;
}

export interface WatchHandler {
  onMessage(message: SystemdMessage): void;
  /** The journal is being followed from now on; what happened before was not seen. */
  onStart(): void;
  /** The follow ended although nobody asked for it; it starts again by itself. */
  onEnd(error: AppError): void;
}

export interface Watch {
  /** The host answers again: do not wait for the end of the back-off. */
  retryNow(): void;
  /** Ends the follow and its process on the host; repeated calls share one promise. */
  stop(): Promise<void>;
}

/** Bounds of the pause before the next attempt, in ms: it doubles in between and is shortened by up to half at random. */
const PAUSE_MIN = 500;
const PAUSE_MAX = 30_000;
/** The pause after an error that repetition does not cure (no permission, login refused), in ms: 5 minutes. */
const PAUSE_HOPELESS = 300_000;
/** A follow that lived this long, in ms, was a good one: its end starts the back-off from the beginning. */
const LONG_ENOUGH = 10_000;
/** Longest sentence kept, in characters. */
const TEXT_MAX = 300;

/** The system manager is process 1; the user managers, which write the same identifier, are not. */
const QUERY = { matches: ['_PID=1'], fields: ['MESSAGE_ID', 'UNIT', 'JOB_RESULT'] } as const;

/** `systemctl daemon-reload`: units may have come or gone (no MESSAGE_ID before systemd 253). */
const RELOADED = /^Reloading\b/;

/** @returns null for what is no news about a unit, such as the manager's start-up time */
export function readMessage(record: SystemdRecord): SystemdMessage | null {
  const { UNIT, MESSAGE_ID = '', JOB_RESULT } = record.extra;
  const service = normalizeUnit(UNIT);
  if (service === null && !RELOADED.test(record.message)) return null;
  const text =
    UNIT && record.message.startsWith(`${UNIT}: `) ? record.message.slice(UNIT.length + 2) : record.message;
  return {
    service,
    messageId: MESSAGE_ID,
    text: text.slice(0, TEXT_MAX),
    at: Math.floor(record.realtimeUs / 1000),
    ...(JOB_RESULT === undefined ? {} : { jobResult: JOB_RESULT }),
  };
}

/**
 * Follows what systemd itself writes into a host's journal, which tells of a unit's change within a fraction of a
 * second (journald wakes its readers at least every 250 ms). It starts again after any end, for as long as wanted.
 */
export function watchSystemd(
  deps: { follow: FollowJournal; clock: Clock; random: () => number; logger: Logger },
  target: SshTarget,
  handler: WatchHandler,
): Watch {
  const { follow, clock, random, logger } = deps;
  const abort = new AbortController();
  let wake = () => {};

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
      if (abort.signal.aborted) wake();
    });

  const followOnce = async (): Promise<AppError> => {
    try {
      handler.onStart();
      for await (const records of follow(target, QUERY, { signal: abort.signal })) {
        for (const record of records) {
          const message = readMessage(record);
          if (message !== null && !abort.signal.aborted) handler.onMessage(message);
        }
      }
      return new AppError('status_failed', { detail: 'journalctl ended' });
    } catch (error) {
      return toAppError(error, 'status_failed');
    }
  };

  const run = async () => {
    let delay = PAUSE_MIN;
    while (!abort.signal.aborted) {
      const started = clock.now();
      const error = await followOnce();
      if (abort.signal.aborted) return;
      logger.info('watching systemd was interrupted', { host: target.host, code: error.code });
      handler.onEnd(error);
      if (clock.now() - started >= LONG_ENOUGH) delay = PAUSE_MIN;
      await pause(error.retryable ? delay * (1 - random() / 2) : PAUSE_HOPELESS);
      delay = Math.min(delay * 2, PAUSE_MAX);
    }
  };
  const running = run();

  return {
    retryNow: () => wake(),
    stop() {
      abort.abort();
      wake();
      return running;
    },
  };
}
