import { AppError } from '../core/errors.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import type { Session, SessionEnd, SessionEndReason, SessionFates, SessionStore } from './types.ts';

/** How often the store is asked about every connected session, ms. A logout elsewhere shows within 1 s [SIO-8]. */
const POLL = 600;
/** How often a connected session's sliding end is moved, ms; with a shorter life thrice in it. */
const TOUCH = 30_000;
/** Touches under way at one time; the store's connection pipelines them. */
const TOUCH_BATCH = 200;
/**
 * Sessions looked at by one poll. With more (the tokens of one instance, not its sockets) the poll goes round in parts,
 * and a logout that is told to nobody takes that many polls longer.
 */
const POLL_MAX = 10_000;

interface Watched {
  token: string;
  session: Session;
  expiresAt: number;
  /** When to move its sliding end again, see `steadyNow`. */
  touchAt: number;
  /** Connections that registered it. */
  uses: number;
}

export interface SessionWatch extends Stoppable {
  /** Watches a session as long as one of its registrations is there. @returns the end of this registration, idempotent */
  register(token: string, session: Session): () => void;
  /** When a watched session ends if nothing renews it, epoch ms; null where it is not watched. */
  expiresAt(sessionId: string): number | null;
  /** Sessions watched now. */
  size(): number;
  /** Looks at once: the store is back, and a session that it lost refuses whoever comes before it is put back. */
  check(): void;
}

/**
 * Finds out for the sessions connected to this instance when they end, whoever ended them and without anyone telling:
 * by expiry, by `revoke`, or because an original app deleted its key. Keeps them alive meanwhile, and puts them back into
 * a store that lost them [SES-7]. Key space notifications would be quicker but are off in most Redis, and lossy.
 *
 * While the store is away only the absolute end counts: a session in use does not slide out because it cannot be renewed.
 */
export function createSessionWatch(deps: {
  store: Pick<SessionStore, 'touch'> & SessionFates;
  onEnd: (end: SessionEnd) => void;
  /** SESSION_MAX_AGE, ms. */
  maxAgeMs: number;
  logger: Logger;
  /** Epoch ms. */
  now?: () => number;
  /** POLL, ms. */
  pollMs?: number;
}): SessionWatch {
  const { store, onEnd, maxAgeMs, logger, now = Date.now, pollMs = POLL } = deps;
  /** A clock that is set back must not keep sessions in use from being renewed. */
  const steady = deps.now ?? steadyNow;
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;
  let polling = false;
  let again = false;
  let round: Promise<void> = Promise.resolve();
  let stopped = false;

  function schedule(delayMs: number): void {
    timer = setTimeout(() => {
      const started = performance.now();
      polling = true;
      again = false;
      round = poll()
        .catch((error: unknown) => {
          // While the store is away nothing is decided; the next poll asks again.
          if (!(error instanceof AppError && error.code === 'store_unavailable')) {
            logger.error('the session watch failed', { reason: String(error) });
          }
        })
        .finally(() => {
          polling = false;
          const rest = again ? 0 : pollMs - (performance.now() - started);
          if (!stopped) schedule(Math.max(20, rest));
        });
    }, delayMs).unref();
  }

  function end(entry: Watched, reason: SessionEndReason): void {
    if (watched.get(entry.session.id) !== entry) return;
    watched.delete(entry.session.id);
    try {
      onEnd({ sessionId: entry.session.id, reason });
    } catch (error) {
      logger.error('ending a session failed', { session: entry.session.id, reason: String(error) });
    }
  }

  function nextTouch(expiresAt: number): number {
    // Spread, because thousands register in the same second after a reconnect storm.
    return steady() + Math.min(TOUCH, (expiresAt - now()) / 3) * (0.75 + Math.random() / 4);
  }

  const isOver = ({ session }: Watched) => session.createdAt + maxAgeMs <= now();

  async function touch(entry: Watched, whenGone: SessionEndReason): Promise<void> {
    const expiresAt = await store.touch(entry.token, entry.session);
    // Its absolute end may come between the look at it and the store's answer.
    if (expiresAt === null) return end(entry, isOver(entry) ? 'expired' : whenGone);
    entry.expiresAt = expiresAt;
    entry.touchAt = nextTouch(expiresAt);
  }

  /** The sessions of this poll; those not looked at come first the next time. */
  function nextPart(): Watched[] {
    const part = [...watched.values()].slice(0, POLL_MAX);
    if (watched.size > POLL_MAX) {
      for (const entry of part) {
        watched.delete(entry.session.id);
        watched.set(entry.session.id, entry);
      }
    }
    return part;
  }

  async function poll(): Promise<void> {
    for (const entry of watched.values()) {
      if (isOver(entry)) end(entry, 'expired');
    }
    const part = nextPart();
    if (part.length === 0) return;
    const fates = await store.fates(part.map(({ token }) => token));
    const due: [Watched, SessionEndReason][] = [];
    for (const [index, entry] of part.entries()) {
      const fate = fates[index] ?? 'lost';
      if (fate === 'lost') due.push([entry, 'expired']);
      else if (fate !== 'alive') end(entry, fate);
      else if (entry.touchAt <= steady()) due.push([entry, 'logout']);
    }
    for (let at = 0; at < due.length; at += TOUCH_BATCH) {
      await Promise.all(due.slice(at, at + TOUCH_BATCH).map(([entry, whenGone]) => touch(entry, whenGone)));
    }
  }

  schedule(pollMs);

  return {
    register(token, session) {
      const entry = watched.get(session.id) ?? {
        token,
        session,
        expiresAt: session.expiresAt,
        touchAt: nextTouch(session.expiresAt),
        uses: 0,
      };
      entry.uses += 1;
      watched.set(session.id, entry);
      let registered = true;
      return () => {
        if (!registered) return;
        registered = false;
        entry.uses -= 1;
        if (entry.uses === 0 && watched.get(session.id) === entry) watched.delete(session.id);
      };
    },
    expiresAt: (sessionId) => watched.get(sessionId)?.expiresAt ?? null,
    size: () => watched.size,
    check() {
      again = true;
      if (polling || stopped) return;
      clearTimeout(timer);
      schedule(0);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
      watched.clear();
    },
  };
}
