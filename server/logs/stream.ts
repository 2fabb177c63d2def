import { TAIL_MAX } from '../../shared/events.ts';
import type { LeaseManager, StreamStore } from '../cluster/types.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { backoff, sleep } from '../core/sleep.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import { toEntry } from './entry.ts';
import type { LogFilter } from './filter.ts';
import { entryAt, type RecentEntries, recentEntries } from './history.ts';
import type { JournalSource } from './journal/commands.ts';
import type { JournalReader } from './journal/reader.ts';
import type { JournalRecord } from './journal/record.ts';
import { type ResumeEvent, type ResumePoint, resumeJournal } from './journal/resume.ts';
import { ownStream } from './owner.ts';
import type { PositionCodec } from './position.ts';
import { createSemaphore } from './semaphore.ts';
import { createSharedResume } from './shared-resume.ts';
import { createTail } from './tail.ts';
import { createViewer, type LogSink, type Viewer, type ViewerSource, type ViewerStart } from './viewer.ts';

/** How often an instance looks whether a stream needs an owner, in ms; with jitter, so that instances do not run in step. */
const CONTEND_MS = 250;
/** An owner without viewers goes on this long, so that a page reload does not restart it, in ms [LOG-5: 30 s]. */
const LINGER_MS = 10_000;
/** Journal reads behind different lines for viewers that catch up, at once per stream and instance; more wait. */
const CATCH_UPS = 4;
/**
 * Numbers of first lines that are read: who wants another gets a part of the next one, so that reads of many viewers are
 * few, whatever they ask for.
 */
const RECENT_STEPS = [50, 500, TAIL_MAX] as const;
/** A read that lasted this long was a good one: its end starts the back-off from the beginning, in ms. */
const LONG_ENOUGH_MS = 10_000;
/** A login that failed is not used for reading again for this long, in ms. */
const BAD_LOGIN_MS = 60_000;

export interface LogStreamDeps {
  /** Name in the cluster: host, port, user and unit. */
  name: string;
  unit: string;
  store: StreamStore;
  leases: LeaseManager;
  reader: JournalReader;
  codec: PositionCodec;
  logger: Logger;
  onLines?(count: number): void;
  /** Called when the stream begins to end: the last viewer has been gone for a while, or it is stopped. */
  onEnd(): void;
}

/** What a viewer brings along: the session whose login it may use. */
export interface ViewerSession {
  id: string;
  target: SshTarget;
}

export interface LogStream {
  view(session: ViewerSession, sink: LogSink, start: ViewerStart, filter: LogFilter | null): Viewer;
  /** True while this instance reads the unit for the cluster. */
  owns(): boolean;
  stop(): Promise<void>;
}

/**
 * One unit's stream on this instance: its tail, its viewers, and the loop that owns the stream for the cluster whenever
 * no other instance does. Reads the journal with the login of whichever session watches.
 */
export function createLogStream(deps: LogStreamDeps): LogStream {
  const { name, store, leases, reader, codec, logger } = deps;
  const source: JournalSource = { unit: deps.unit };
  const stopping = new AbortController();
  const viewers = new Map<Viewer, ViewerSession>();
  const badLogins = new Map<string, number>();
  const catchUps = createSemaphore(CATCH_UPS);
  const recents = new Map<number, Promise<RecentEntries>>();
  let linger: NodeJS.Timeout | undefined;
  /** The session whose login reads now, and how to make the reader change to another. */
  let current: { session: ViewerSession; change: AbortController } | null = null;

  const toEntries = (records: readonly JournalRecord[]) => records.map((record) => toEntry(record, codec));

  function login(): ViewerSession | null {
    const now = steadyNow();
    for (const session of viewers.values()) {
      if ((badLogins.get(session.id) ?? 0) <= now) return session;
    }
    return null;
  }

  function requireLogin(): ViewerSession {
    const session = login() ?? viewers.values().next().value;
    if (!session) throw new AppError('ssh_closed');
    return session;
  }

  /** Whether another login may do what the host has refused this one; it is not tried again soon. */
  function othersMay(session: ViewerSession, error: unknown): boolean {
    if (toAppError(error).code !== 'auth_failed') return false;
    badLogins.set(session.id, steadyNow() + BAD_LOGIN_MS);
    return login() !== null;
  }

  /** Does something on the host, with the first login that it takes. */
  async function withLogin<T>(work: (target: SshTarget) => Promise<T>): Promise<T> {
    for (;;) {
      const session = requireLogin();
      try {
        return await work(session.target);
      } catch (error) {
        if (!othersMay(session, error)) throw error;
      }
    }
  }

  /** Reads the journal behind a point, with the first login that the host takes. */
  async function* read(point: ResumePoint, signal: AbortSignal): AsyncGenerator<ResumeEvent> {
    for (;;) {
      const session = requireLogin();
      let begun = false;
      try {
        for await (const event of resumeJournal(reader, session.target, { source, point }, signal)) {
          begun = true;
          yield event;
        }
        return;
      } catch (error) {
        if (!othersMay(session, error) || begun) throw error;
      }
    }
  }

  async function* readInTurn(point: ResumePoint, signal: AbortSignal) {
    const release = await catchUps.acquire(signal);
    try {
      yield* read(point, signal);
    } finally {
      release();
    }
  }

  const resume = createSharedResume({ read: readInTurn, toEntries });
  const crowded = () => catchUps.waiting() > 0;

  /** The newest lines; unfiltered reads of viewers that come at the same time are one. */
  function recent(lines: number, filter: LogFilter | null, leaving: AbortSignal): Promise<RecentEntries> {
    const read = (signal: AbortSignal, count = lines) =>
      withLogin((target) =>
        recentEntries({ reader, target, source, toEntries }, { lines: count, filter }, signal),
      );
    // It is this viewer's alone, and looks through much of the journal: it ends with the viewer.
    if (filter) return read(AbortSignal.any([stopping.signal, leaving]));
    const step = RECENT_STEPS.find((most) => most >= lines) ?? TAIL_MAX;
    const running = recents.get(step) ?? read(stopping.signal, step).finally(() => recents.delete(step));
    recents.set(step, running);
    return running.then(({ entries, newest }) => ({ entries: entries.slice(-lines), newest }));
  }

  // All live viewers wait for what the tail reads, so it waits for nobody.
  const tail = createTail({ stream: name, store, logger, toEntries, resume: read });

  /** Owns the stream under a lease, with one login after the other, until the lease is lost or reading fails. */
  async function own(): Promise<void> {
    const lease = await leases.acquire(`log:${name}`);
    if (!lease) return;
    try {
      while (!stopping.signal.aborted && !lease.lost.aborted) {
        const session = login();
        if (!session) return;
        const change = new AbortController();
        current = { session, change };
        logger.debug('stream is owned here', { stream: name, fence: lease.fence });
        try {
          const signal = AbortSignal.any([stopping.signal, change.signal]);
          await ownStream({ ...deps, stream: name, source, toEntries }, lease, session.target, signal);
        } catch (error) {
          const failure = toAppError(error, 'log_stream_failed');
          if (failure.retryable) throw failure;
          badLogins.set(session.id, steadyNow() + BAD_LOGIN_MS);
          for (const [viewer, { id }] of viewers) if (id === session.id) viewer.sink.failed(failure);
        }
        if (!change.signal.aborted) return;
      }
    } finally {
      current = null;
      await lease.release();
    }
  }

  async function contend(): Promise<void> {
    let failures = 0;
    let told = false;
    while (!stopping.signal.aborted) {
      let wait = CONTEND_MS * (0.75 + Math.random() / 2);
      const began = performance.now();
      try {
        await own();
        failures = 0;
        told = false;
      } catch (error) {
        if (performance.now() - began > LONG_ENOUGH_MS) {
          failures = 0;
          told = false;
        }
        // The lease is free meanwhile: an instance that reaches the host may take over.
        wait = backoff(failures, 500, 5000);
        const failure = toAppError(error, 'log_stream_failed');
        if (failure.code === 'store_unavailable') wait = Math.min(wait, 1000);
        else {
          // A connection that breaks is mostly back at once, and nobody has missed a line: not worth a word.
          const passing = failure.code === 'ssh_closed' && failures === 0;
          failures++;
          if (!passing && !told) {
            told = true;
            for (const { sink } of viewers.keys()) sink.failed(failure);
          }
        }
        logger.info('stream reader stopped, trying again', {
          stream: name,
          code: failure.code,
          cause: String(failure.cause),
        });
      }
      await sleep(wait, stopping.signal);
    }
  }

  const contending = contend();

  /** A session without viewers may have ended: its login reads on only as long as nobody else is there. */
  function checkLogin(): void {
    for (const { id } of viewers.values()) if (id === current?.session.id) return;
    if (viewers.size > 0) current?.change.abort();
  }

  async function end(): Promise<void> {
    deps.onEnd();
    stopping.abort();
    for (const viewer of viewers.keys()) viewer.stop();
    viewers.clear();
    clearTimeout(linger);
    await contending;
    tail.stop();
  }
  let ended: Promise<void> | null = null;
  const stop = () => (ended ??= end());

  /** A viewer that has ended takes no part any more, neither as a reason to read nor with its login. */
  function onEnd(viewer: Viewer): void {
    const session = viewers.get(viewer);
    if (!session) return;
    viewers.delete(viewer);
    badLogins.delete(session.id);
    if (viewers.size === 0) linger = setTimeout(() => void stop(), LINGER_MS);
    checkLogin();
  }

  const viewerSource: ViewerSource = {
    tail,
    recent,
    resume,
    entryAt: (point, signal) =>
      withLogin((target) => entryAt({ reader, target, source, toEntries }, point, signal)),
    crowded,
    onEnd,
  };

  return {
    view(session, sink, start, filter) {
      clearTimeout(linger);
      const viewer = createViewer(viewerSource, { sink, start, filter });
      viewers.set(viewer, session);
      checkLogin();
      return viewer;
    },
    owns: () => current !== null,
    stop,
  };
}
