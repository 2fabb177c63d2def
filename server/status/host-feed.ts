import type { ErrorCode } from '../../shared/errors.ts';
import { errorPayload } from '../../shared/errors.ts';
import { STATUS_INTERVAL_MAX, STATUS_INTERVAL_MIN } from '../../shared/events.ts';
import type { StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import type { Lease, LeaseManager } from '../cluster/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import { sameLogin } from './host-key.ts';
import { createHostPoll, type HostPoll, type HostPollDeps } from './host-poll.ts';
import type { HostSnapshot, StatusBoard, StatusSubscription, StatusViewer, StatusWish } from './types.ts';

/** How long poll and follow outlive the last viewer, in ms, so that reloading a page costs no new start. */
export const LINGER = 10_000;
/** Pause between attempts at the lease, in ms. */
const LEASE_RETRY = 1_000;
/** How long a wish is in force, in ms: three renewals. */
const WISH_TTL = 30_000;
const WISH_RENEW = 10_000;
/** A snapshot older than this says nothing about what changed "now", in ms. */
const KNOWN_MAX = 60_000;

export interface HostFeedDeps extends HostPollDeps {
  board: StatusBoard;
  leases: LeaseManager;
  /** Names this instance in the cluster. */
  instanceId: string;
}

interface Seat {
  viewer: StatusViewer;
  interval: number;
  /** Epoch ms when the next list is due; 0 until the first one. */
  due: number;
  error: ErrorCode | null;
}

function clamp(ms: number): number {
  const bounded = Math.min(Math.max(ms, STATUS_INTERVAL_MIN), STATUS_INTERVAL_MAX);
  return Number.isFinite(bounded) ? bounded : STATUS_INTERVAL_MAX;
}

/**
 * The viewers of one host on this instance. The instance that holds the lease `status:<key>` polls the host with a login
 * of one of its viewers; all others read its snapshots from the board. While the board's store is away this instance
 * polls for its own viewers alone.
 *
 * @param after the end of this host's feed before this one
 * @param onIdle called once when the last viewer has been gone for the linger time and everything has ended
 */
export function createHostFeed(key: string, deps: HostFeedDeps, after: Promise<void>, onIdle: () => void) {
  const { clock, board, leases, instanceId } = deps;
  const logger = deps.logger.child({ statusOf: key });
  const leaseName = `status:${key}`;
  const seats = new Set<Seat>();
  let snapshot: HostSnapshot | null = null;
  /** When it came, by this instance's clock; clocks of instances may differ. */
  let snapshotAt = 0;
  let othersWish: StatusWish[] = [];

  let lease: Lease | null = null;
  let poll: HostPoll | null = null;
  let competing = false;
  let begun = false;
  let ended: Promise<void> | null = null;
  const cancel = { retry: () => {}, linger: () => {}, renew: () => {} };
  const unlisten: (() => void)[] = [];

  /** Runs a call to the board or the leases whose failure costs timeliness only. */
  const bestEffort = (what: string, call: Promise<unknown>) =>
    call.catch((error) => logger.debug(`${what} failed`, { error: String(error) }));

  // ---- what is wanted

  function ownWish(): StatusWish | null {
    if (seats.size === 0) return null;
    const interval = Math.min(...[...seats].map((seat) => seat.interval));
    return { interval, services: [...new Set([...seats].flatMap((seat) => seat.viewer.services))] };
  }

  function wanted(): StatusWish | null {
    const own = ownWish();
    if (own === null) return null;
    const all = [own, ...othersWish];
    return {
      interval: Math.min(...all.map((wish) => wish.interval)),
      services: [...new Set(all.flatMap((wish) => wish.services))],
    };
  }

  function logins(): SshTarget[] {
    const distinct: SshTarget[] = [];
    for (const { viewer } of seats) {
      if (!distinct.some((target) => sameLogin(target, viewer.target))) distinct.push(viewer.target);
    }
    return distinct;
  }

  async function readWishes() {
    const wishes = await board.wishes(key);
    wishes.delete(instanceId);
    othersWish = [...wishes.values()];
    poll?.refresh();
    // Lingering for nobody here while others wait for the lease would be rude.
    if (seats.size === 0 && othersWish.length > 0) void end();
  }

  function sendWish() {
    cancel.renew();
    if (!begun || ended) return;
    void bestEffort('wish', board.wish(key, instanceId, ownWish(), WISH_TTL));
    cancel.renew = clock.after(WISH_RENEW, () => {
      sendWish();
      void bestEffort('reading wishes', readWishes());
    });
  }

  // ---- who polls

  async function compete(): Promise<void> {
    if (competing || lease || ended) return;
    competing = true;
    cancel.retry();
    try {
      const got = await leases.acquire(leaseName);
      if (got === null) {
        await standDown();
      } else if (ended) {
        await got.release();
      } else {
        lease = got;
        got.lost.addEventListener('abort', () => onLost(got), { once: true });
        if (got.lost.aborted) onLost(got);
        await bestEffort('reading wishes', readWishes());
        startPoll(true);
      }
    } catch (error) {
      logger.debug('status lease unavailable', { error: String(error) });
      // The store is away: better each instance asks for itself than nobody. A follow already running goes on.
      startPoll(false);
    } finally {
      competing = false;
    }
    if (!lease && !ended) cancel.retry = clock.after(LEASE_RETRY, () => void compete());
  }

  function onLost(which: Lease) {
    if (lease !== which) return;
    lease = null;
    void compete();
  }

  function startPoll(watch: boolean) {
    if (ended) return;
    if (poll === null) {
      const known = snapshot !== null && clock.now() - snapshotAt < KNOWN_MAX ? snapshot.units : [];
      poll = createHostPoll(deps, { logins, wanted, onSnapshot: publish, onTransitions: announce }, known);
    }
    if (watch) poll.watch(true);
    else poll.refresh();
  }

  async function standDown() {
    const stopping = poll;
    poll = null;
    await stopping?.stop();
  }

  function publish(found: Pick<HostSnapshot, 'at' | 'every' | 'units' | 'error' | 'changed'>) {
    const fence = lease?.fence ?? 0;
    const full: HostSnapshot = { ...found, by: instanceId, fence };
    receive(full);
    const holding = lease;
    if (holding === null) return;
    const publishing = board.publish(key, full).then((accepted) => {
      if (accepted || lease !== holding) return;
      lease = null;
      void standDown();
      cancel.retry();
      if (!ended) cancel.retry = clock.after(LEASE_RETRY, () => void compete());
      return holding.release();
    });
    void bestEffort('publishing status', publishing);
  }

  function announce(transitions: StatusTransition[]) {
    deliverTransitions(transitions);
    if (lease) void bestEffort('announcing', board.announce(key, instanceId, transitions));
  }

  // ---- what viewers get

  function receive(next: HostSnapshot) {
    snapshot = next;
    snapshotAt = clock.now();
    for (const seat of [...seats]) deliver(seat, next);
  }

  function deliver(seat: Seat, of: HostSnapshot) {
    const now = clock.now();
    // A poll that comes up to half its interval early serves a viewer whose interval it does not divide evenly.
    const onTime = now >= seat.due - of.every / 2;
    if (!onTime && !of.changed) return;
    const list = listFor(seat, of);
    if (list === null) return;
    const next = seat.due + seat.interval;
    if (onTime) seat.due = next > now ? next : now + seat.interval;
    if (of.error !== seat.error) {
      seat.error = of.error;
      if (of.error !== null) tell(() => seat.viewer.onError(errorPayload(of.error ?? 'status_failed')));
    }
    tell(() => seat.viewer.onUpdate(list));
  }

  /** The viewer's units in its order; null where the snapshot lacks one of them. */
  function listFor(seat: Seat, of: HostSnapshot): UnitStatus[] | null {
    const list: UnitStatus[] = [];
    for (const service of seat.viewer.services) {
      const unit = of.units.find((candidate) => candidate.service === service);
      if (unit === undefined) return null;
      list.push(unit);
    }
    return list;
  }

  function deliverTransitions(transitions: StatusTransition[]) {
    for (const seat of [...seats]) {
      for (const transition of transitions) {
        if (seat.viewer.services.includes(transition.service))
          tell(() => seat.viewer.onTransition(transition));
      }
    }
  }

  /** One viewer's failing callback must not keep the others waiting. */
  function tell(call: () => void) {
    try {
      call();
    } catch (error) {
      logger.error('status viewer failed', { error: String(error) });
    }
  }

  // ---- life

  async function begin() {
    await after;
    if (ended) return;
    begun = true;
    unlisten.push(
      board.onPublish(key, {
        onSnapshot: (next) => next.by !== instanceId && receive(next),
        onTransitions: (by, list) => by !== instanceId && deliverTransitions(list),
      }),
      board.onWish(key, () => void bestEffort('reading wishes', readWishes())),
    );
    const last = await board.read(key).catch(() => null);
    if (last !== null && snapshot === null && !ended) {
      snapshot = last;
      snapshotAt = last.at;
      for (const seat of seats) welcome(seat);
    }
    sendWish();
    await compete();
  }

  /** The first list, where there is one that is young enough; else it comes with the next snapshot. */
  function welcome(seat: Seat) {
    if (snapshot === null) return;
    const age = clock.now() - snapshotAt;
    if (snapshot.error !== null || age <= seat.interval) deliver(seat, { ...snapshot, changed: true });
  }

  function end(): Promise<void> {
    ended ??= (async () => {
      for (const stop of Object.values(cancel)) stop();
      seats.clear();
      await standDown();
      const holding = lease;
      lease = null;
      if (holding) await bestEffort('releasing the status lease', holding.release());
      if (begun) await bestEffort('taking the wish back', board.wish(key, instanceId, null, 0));
      await beginning;
      for (const stop of unlisten) stop();
      onIdle();
    })();
    return ended;
  }

  const beginning = begin();

  return {
    /** False once it is ending: a new viewer needs a new host feed. */
    isOpen: () => ended === null,
    viewers: () => seats.size,
    subscribe(viewer: StatusViewer): StatusSubscription {
      const seat: Seat = { viewer, interval: clamp(viewer.interval), due: 0, error: null };
      cancel.linger();
      seats.add(seat);
      welcome(seat);
      sendWish();
      poll?.refresh();
      return {
        setInterval(ms) {
          if (!seats.has(seat)) return;
          const interval = clamp(ms);
          seat.due += interval - seat.interval;
          seat.interval = interval;
          sendWish();
          poll?.refresh();
        },
        unsubscribe() {
          if (!seats.delete(seat)) return;
          sendWish();
          poll?.refresh();
          if (seats.size > 0) return;
          if (othersWish.length > 0) void end();
          else cancel.linger = clock.after(LINGER, () => void end());
        },
      };
    },
    /** Ends poll and follow now; repeated calls share one promise. */
    stop: end,
  };
}
