import { STATUS_INTERVAL_DEFAULT } from '../shared/events.ts';
import type { StatusTransition, StatusWord, UnitStatus } from '../shared/node-status.ts';
import { backoffDelay } from './backoff.ts';
import type { Connection } from './connection.ts';
import type { GatewayError } from './errors.ts';
import { createListeners } from './store.ts';
import { createUsage } from './usage.ts';

/** One check of a unit, for a strip of the last ones. */
export interface StatusCheck {
  readonly at: number;
  readonly status: StatusWord;
}

export interface StatusSnapshot {
  /** The units in the gateway's order; undefined until the first update. */
  readonly data: readonly UnitStatus[] | undefined;
  readonly status: 'pending' | 'success' | 'error';
  readonly error: GatewayError | null;
  /** Epoch ms of the last update. */
  readonly updatedAt: number | null;
  /** True when two intervals have passed without an update: what is shown may be over. */
  readonly isStale: boolean;
  /** The last checks of each service, oldest first. */
  readonly history: Readonly<Record<string, readonly StatusCheck[]>>;
  /** CPU used between the last two updates, as a share of one core, for the services that tell. */
  readonly cpuShare: Readonly<Record<string, number>>;
  /** The last changes, newest first. */
  readonly transitions: readonly StatusTransition[];
}

export interface StatusFeed {
  /** The same object until something changes. */
  get(): StatusSnapshot;
  /** @param interval wished poll interval in ms; of all watchers the shortest counts */
  subscribe(listener: () => void, interval?: number): () => void;
  /** Asks for a fresh update. */
  refetch(): void;
}

export interface StatusFeedControl extends StatusFeed {
  onConnection(open: boolean): void;
  /** The connection is another user's, or to another host: nothing held is theirs. */
  onOtherSession(): void;
  onUpdate(statuses: UnitStatus[]): void;
  onTransition(transition: StatusTransition): void;
}

/** Checks kept for each service: what a strip on a card has room for. */
const HISTORY = 40;
const TRANSITIONS = 50;
/** Grace on top of two intervals before an update counts as late, in ms. */
const STALE_GRACE = 1000;

export const PENDING_STATUS: StatusSnapshot = Object.freeze({
  data: undefined,
  status: 'pending',
  error: null,
  updatedAt: null,
  isStale: false,
  history: Object.freeze({}),
  cpuShare: Object.freeze({}),
  transitions: Object.freeze([]),
});

/** The status of the host's units: one subscription on the gateway, however many watch. */
export function createStatusFeed(
  deps: { connection: Connection; retainConnection(): () => void },
  options: { lingerMs?: number } = {},
): StatusFeedControl {
  const { connection } = deps;
  const listeners = createListeners();
  const wishes = new Set<{ interval: number }>();
  let snapshot = PENDING_STATUS;
  let releaseConnection: (() => void) | null = null;
  /** The interval the gateway was asked for on this connection; null: not subscribed. */
  let subscribed: number | null = null;
  let interval = STATUS_INTERVAL_DEFAULT;
  let staleTimer: ReturnType<typeof setTimeout> | null = null;
  /** One higher with each question and each change of the connection: an older answer says nothing any more. */
  let step = 0;
  let failures = 0;
  let retryTimer: ReturnType<typeof setTimeout> | null = null;

  const usage = createUsage({
    start() {
      releaseConnection = deps.retainConnection();
      void attach();
    },
    end() {
      if (subscribed !== null) connection.emit('unsubscribe_status');
      subscribed = null;
      forgetQuestion();
      stopStaleTimer();
      set(PENDING_STATUS);
      releaseConnection?.();
      releaseConnection = null;
    },
    ...(options.lingerMs === undefined ? {} : { lingerMs: options.lingerMs }),
  });

  function set(change: Partial<StatusSnapshot>): void {
    snapshot = { ...snapshot, ...change };
    listeners.notify();
  }

  function stopStaleTimer(): void {
    if (staleTimer !== null) clearTimeout(staleTimer);
    staleTimer = null;
  }

  function awaitNext(): void {
    stopStaleTimer();
    staleTimer = setTimeout(() => set({ isStale: true }), 2 * interval + STALE_GRACE);
  }

  function forgetQuestion(): void {
    step += 1;
    if (retryTimer !== null) clearTimeout(retryTimer);
    retryTimer = null;
  }

  async function attach(force = false): Promise<void> {
    if (wishes.size > 0) interval = Math.min(...[...wishes].map((wish) => wish.interval));
    if (!usage.inUse || connection.state.get().status !== 'open') return;
    if (subscribed === interval && !force) return;
    subscribed = interval;
    forgetQuestion();
    const asked = step;
    const answer = await connection.request('subscribe_status', { interval });
    if (asked !== step) return;
    if (answer.ok) failures = 0;
    if (answer.ok || answer.error.code === 'not_connected') return;
    subscribed = null;
    set({ status: 'error', error: answer.error });
    if (!answer.error.retryable) return;
    failures += 1;
    retryTimer = setTimeout(() => void attach(), backoffDelay(failures));
  }

  return {
    get: () => snapshot,
    subscribe(listener, wished = STATUS_INTERVAL_DEFAULT) {
      const wish = { interval: wished };
      wishes.add(wish);
      const remove = listeners.add(listener);
      const release = usage.retain();
      void attach();
      return () => {
        remove();
        release();
        // While lingering the last wish still stands.
        wishes.delete(wish);
        if (wishes.size > 0) void attach();
      };
    },
    refetch() {
      void attach(true);
    },
    onOtherSession() {
      stopStaleTimer();
      set(PENDING_STATUS);
    },
    onConnection(open) {
      subscribed = null;
      forgetQuestion();
      if (open) void attach();
      else if (snapshot.data !== undefined) set({ isStale: true });
    },
    onUpdate(statuses) {
      if (!usage.inUse) return;
      const at = Date.now();
      const history = { ...snapshot.history };
      for (const { service, status } of statuses) {
        history[service] = [...(history[service] ?? []), { at, status }].slice(-HISTORY);
      }
      awaitNext();
      const cpuShare = cpuShares(snapshot, statuses, at);
      set({
        data: statuses,
        status: 'success',
        error: null,
        updatedAt: at,
        isStale: false,
        history,
        cpuShare,
      });
    },
    onTransition(transition) {
      if (!usage.inUse) return;
      set({ transitions: [transition, ...snapshot.transitions].slice(0, TRANSITIONS) });
    },
  };
}

/** A change pushed right behind a poll says nothing about the load; below this many ms the figure before stands. */
const CPU_WINDOW = 500;

function cpuShares(
  before: StatusSnapshot,
  now: readonly UnitStatus[],
  at: number,
): StatusSnapshot['cpuShare'] {
  const elapsed = at - (before.updatedAt ?? at);
  const shares: Record<string, number> = {};
  for (const { service, cpuNsec, pid } of now) {
    const last = before.data?.find((unit) => unit.service === service);
    if (cpuNsec === undefined || last?.cpuNsec === undefined || last.pid !== pid) continue;
    const share = (cpuNsec - last.cpuNsec) / 1e6 / elapsed;
    if (elapsed >= CPU_WINDOW && share >= 0) shares[service] = share;
    else if (before.cpuShare[service] !== undefined) shares[service] = before.cpuShare[service];
  }
  return shares;
}
