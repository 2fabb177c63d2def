import type { ErrorCode } from '../../shared/errors.ts';
import type { StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import { type AppError, toAppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import { createFactsKeeper } from './chain-facts.ts';
import { sameLogin } from './host-key.ts';
import { createTransitionTeller } from './transition-teller.ts';
import { changesBetween, createMessageLog, sameForViewers } from './transitions.ts';
import type {
  Clock,
  FollowJournal,
  HostSnapshot,
  LastLines,
  Probe,
  ReadUnitFacts,
  StatusWish,
} from './types.ts';
import { type Watch, watchSystemd } from './watcher.ts';

/** How long news is gathered before the host is asked, in ms: a stop comes as three messages within some ms. */
const GATHER = 50;
/** Longest gathering under a stream of messages, in ms. */
const GATHER_MAX = 200;
/** After a follow has begun the host is asked once more, in ms: what happened before it took hold was not seen. */
const SETTLE = 1_000;
/** Bounds of the pause after a failed probe, in ms: doubles in between, shortened by up to half at random. */
const RETRY_MIN = 1_000;
const RETRY_MAX = 30_000;
/** A login that the host refused is not tried again for this long, in ms: refused logins get the whole gateway barred. */
const REFUSED_FOR = 300_000;

export interface HostPollDeps {
  probe: Probe;
  follow: FollowJournal;
  lastLines?: LastLines;
  unitFacts?: ReadUnitFacts;
  clock: Clock;
  /** 0 to 1. */
  random: () => number;
  logger: Logger;
}

/** What the poll of a host needs to know and whom it tells. */
export interface HostPollSide {
  /** Logins of the viewers here, oldest first; none: the poll rests. */
  logins(): SshTarget[];
  /** What all viewers together want; null: nothing, the poll rests. */
  wanted(): StatusWish | null;
  onSnapshot(snapshot: Pick<HostSnapshot, 'at' | 'every' | 'units' | 'error' | 'changed'>): void;
  onTransitions(transitions: StatusTransition[]): void;
}

export interface HostPoll {
  /** Logins or wishes have changed. */
  refresh(): void;
  /** Whether systemd's messages are followed besides; false leaves the interval alone. */
  watch(on: boolean): void;
  stop(): Promise<void>;
}

/**
 * Asks one host for its units at the wanted interval, one command at a time, and at once when systemd says that
 * something changed. It knows nothing of viewers and instances, and logs in with whatever login it is given.
 *
 * @param known the states last known, so that a poll that takes over notices what changed meanwhile
 */
export function createHostPoll(
  deps: HostPollDeps,
  side: HostPollSide,
  known: readonly UnitStatus[],
): HostPoll {
  const { clock, logger } = deps;
  const abort = new AbortController();
  const messages = createMessageLog();
  const lastKnown = new Map(known.map((unit) => [unit.service, unit]));
  let shown: ReadonlyMap<string, UnitStatus> = new Map(lastKnown);
  let shownError: ErrorCode | null = null;

  let probing: Promise<void> | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let retryAt: number | null = null;
  let failures = 0;
  let newsDue: number | null = null;
  let newsSince = 0;
  let cancelTimer = () => {};

  let watching: { watch: Watch; target: SshTarget } | null = null;
  let watchWanted = false;
  let cancelSettle = () => {};
  /** Watches that are ending; awaited by `stop`. */
  const ending = new Set<Promise<void>>();
  let refused: { target: SshTarget; until: number }[] = [];

  const teller = createTransitionTeller({
    ...deps,
    messages,
    signal: abort.signal,
    isWatching: () => watching !== null,
    onTransitions: side.onTransitions,
  });

  const facts = createFactsKeeper({
    clock,
    logger,
    known,
    unitFacts: deps.unitFacts,
    signal: abort.signal,
  });

  function usableLogins(): SshTarget[] {
    const now = clock.now();
    refused = refused.filter((entry) => entry.until > now);
    return side.logins().filter((target) => !refused.some((entry) => sameLogin(entry.target, target)));
  }
  const login = (): SshTarget | null => usableLogins()[0] ?? null;

  /** Epoch ms of the next probe; null while nobody wants one or every login was refused. */
  function nextProbe(): number | null {
    const wanted = side.wanted();
    if (wanted === null || side.logins().length === 0) return null;
    if (login() === null) return Math.min(...refused.map((entry) => entry.until));
    if (retryAt !== null) return retryAt;
    const complete = wanted.services.every((service) => shown.has(service));
    const regular = complete ? askedAt + wanted.interval : clock.now();
    return newsDue === null ? regular : Math.min(newsDue, regular);
  }

  function schedule() {
    cancelTimer();
    if (abort.signal.aborted || probing) return;
    const at = nextProbe();
    if (at === null) return;
    cancelTimer = clock.after(Math.max(0, at - clock.now()), () => {
      probing = ask().finally(() => {
        probing = null;
        schedule();
      });
    });
  }

  function onNews() {
    const now = clock.now();
    if (newsDue === null) newsSince = now;
    newsDue = Math.min(now + GATHER, newsSince + GATHER_MAX);
    schedule();
  }

  async function ask() {
    const wanted = side.wanted();
    const target = login();
    if (wanted === null || target === null) return;
    askedAt = clock.now();
    newsDue = null;
    try {
      const units = await deps.probe(target, wanted.services, { signal: abort.signal });
      if (abort.signal.aborted) return;
      onAnswer(facts.complete(units), wanted.interval);
      facts.refresh(target, units);
    } catch (error) {
      if (!abort.signal.aborted) onFailure(toAppError(error, 'status_failed'), wanted, target);
    }
  }

  function onAnswer(units: UnitStatus[], every: number) {
    const recovered = failures > 0;
    failures = 0;
    retryAt = null;
    const changes = changesBetween(lastKnown, units);
    for (const unit of units) if (unit.status !== 'unknown') lastKnown.set(unit.service, unit);
    show(units, null, every);
    if (changes.length > 0) teller.tell(changes, units, login());
    if (recovered) watching?.watch.retryNow();
  }

  function onFailure(error: AppError, wanted: StatusWish, target: SshTarget) {
    failures += 1;
    const pause = Math.min(RETRY_MIN * 2 ** Math.min(failures - 1, 10), RETRY_MAX);
    retryAt = clock.now() + Math.round(pause * (1 - deps.random() / 2));
    logger.warn('status probe failed', { host: target.host, code: error.code, failures, cause: error.cause });
    if (!error.retryable) {
      refused.push({ target, until: clock.now() + REFUSED_FOR });
      // Another viewer's login may do better, now or when it comes; the viewers need not hear of this one then.
      retryAt = clock.now();
      adjustWatch();
      if (login() !== null) return;
    }
    show(
      wanted.services.map((service) => ({ service, status: 'unknown' as const })),
      error.code,
      wanted.interval,
    );
  }

  function show(units: UnitStatus[], error: ErrorCode | null, every: number) {
    const differs = units.some((unit) => {
      const before = shown.get(unit.service);
      return before === undefined || !sameForViewers(before, unit);
    });
    const changed = differs || error !== shownError;
    shown = new Map(units.map((unit) => [unit.service, unit]));
    shownError = error;
    side.onSnapshot({ at: clock.now(), every, units, error, changed });
  }

  function endWatch() {
    cancelSettle();
    if (watching === null) return;
    const stopped = watching.watch.stop();
    watching = null;
    ending.add(stopped);
    void stopped.finally(() => ending.delete(stopped));
  }

  /** Keeps one follow going, with a login that a viewer still has; changes it only when that viewer has left. */
  function adjustWatch() {
    if (!watchWanted || abort.signal.aborted) return endWatch();
    const logins = usableLogins();
    const [target] = logins;
    // No login left: the owner of this poll decides how long the follow may linger.
    if (target === undefined) return;
    const current = watching;
    if (current !== null && logins.some((candidate) => sameLogin(candidate, current.target))) return;
    endWatch();
    const watch = watchSystemd(deps, target, {
      onStart() {
        cancelSettle();
        cancelSettle = clock.after(SETTLE, onNews);
      },
      onMessage(message) {
        messages.add(message);
        if (message.service === null || side.wanted()?.services.includes(message.service)) onNews();
      },
      // The connection may be gone: ask now instead of at the next interval.
      onEnd: onNews,
    });
    watching = { watch, target };
  }

  let stopped: Promise<void> | null = null;
  return {
    refresh() {
      adjustWatch();
      schedule();
    },
    watch(on) {
      watchWanted = on;
      adjustWatch();
      schedule();
    },
    stop() {
      stopped ??= (async () => {
        abort.abort();
        cancelTimer();
        endWatch();
        await Promise.all([probing, teller.idle(), facts.idle(), ...ending]);
      })();
      return stopped;
    },
  };
}
