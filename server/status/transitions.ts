import type { StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import type { SystemdMessage } from './watcher.ts';

/** Messages kept of one unit; a start, crash and restart make six. */
const MESSAGES_PER_UNIT = 12;
/** Units with messages kept at a time; more than are ever asked for. */
const UNITS_MAX = 512;
/** A message older than this explains no change seen now, in ms. */
const MESSAGE_AGE_MAX = 60_000;

/** Well-known messages of systemd (systemd/systemd src/systemd/sd-messages.h), by what they tell of a unit. */
const MESSAGE = {
  started: '39f53479d3a045ac8e11786248231fbf',
  reloaded: '7b05ebc668384222baa8881179cfda54',
  reloading: 'd34d037fff1847e6ae669a370e694725',
  starting: '7d4958e842da4a758f6c1cdc7b36dcc5',
  stopping: 'de5b426a63be47a7b6ac3eaac82e2f6f',
  stopped: '9d1aaa27d60140bd96365438aad20286',
  startFailed: 'be02cf6855d2428ba40df7e9d022f03d',
  restartScheduled: '5eb03494b6584870a536b337290809b3',
  resources: 'ae8f7b866b0347b9af31fe1c80b127c0',
  success: '7ad2d189f7e94e70a38c781354912448',
  failureResult: 'd9b373ed55a64feb8242e02dbe79a49c',
  processExit: '98e322203f7a4ed290d09fe03c09fe15',
  outOfMemory: 'fe6faa94e7774663a0da52717891d8ef',
} as const;

/** The most telling message first, by the state a unit came to; where none of them came, the newest counts. */
const TELLING: Partial<Record<UnitStatus['status'], readonly string[]>> = {
  active: [MESSAGE.started, MESSAGE.reloaded],
  reloading: [MESSAGE.reloading],
  failed: [MESSAGE.outOfMemory, MESSAGE.processExit, MESSAGE.failureResult, MESSAGE.startFailed],
  activating: [
    MESSAGE.outOfMemory,
    MESSAGE.processExit,
    MESSAGE.failureResult,
    MESSAGE.restartScheduled,
    MESSAGE.starting,
  ],
  deactivating: [MESSAGE.outOfMemory, MESSAGE.stopping],
  inactive: [MESSAGE.stopped, MESSAGE.success],
};

/** What says nothing about a cause: how much CPU time the unit had used. */
const IDLE_TALK: ReadonlySet<string> = new Set([MESSAGE.resources]);

export type Change = Pick<StatusTransition, 'service' | 'from' | 'to'>;

/**
 * The changes between what was last known of each unit and what is known now. A unit that was restarted in between is
 * a change as well (`active` to `active`). A unit seen for the first time, or `unknown`, has none: unreachable is not down.
 */
export function changesBetween(
  before: ReadonlyMap<string, UnitStatus>,
  now: readonly UnitStatus[],
): Change[] {
  const changes: Change[] = [];
  for (const unit of now) {
    const old = before.get(unit.service);
    if (old === undefined || unit.status === 'unknown' || old.status === 'unknown') continue;
    if (old.status !== unit.status || isRestart(old, unit)) {
      changes.push({ service: unit.service, from: old.status, to: unit.status });
    }
  }
  return changes;
}

function isRestart(old: UnitStatus, now: UnitStatus): boolean {
  if (now.status !== 'active') return false;
  return (now.restarts ?? 0) > (old.restarts ?? 0) || (now.since !== old.since && now.pid !== old.pid);
}

/** Whether a viewer should hear of the difference at once; memory and CPU time change with every poll. */
export function sameForViewers(a: UnitStatus, b: UnitStatus): boolean {
  return (
    a.status === b.status &&
    a.subState === b.subState &&
    a.since === b.since &&
    a.pid === b.pid &&
    a.restarts === b.restarts &&
    a.result === b.result &&
    a.exitCode === b.exitCode &&
    a.description === b.description
  );
}

/** Keeps systemd's latest messages of each unit until a change uses them up. */
export function createMessageLog() {
  const byUnit = new Map<string, SystemdMessage[]>();

  return {
    add(message: SystemdMessage) {
      if (message.service === null || IDLE_TALK.has(message.messageId)) return;
      const list = byUnit.get(message.service) ?? [];
      list.push(message);
      if (list.length > MESSAGES_PER_UNIT) list.shift();
      byUnit.delete(message.service);
      byUnit.set(message.service, list);
      const oldest = byUnit.keys().next();
      if (byUnit.size > UNITS_MAX && !oldest.done) byUnit.delete(oldest.value);
    },
    /** The message that explains a change best; null where systemd said nothing of late. What came with it is forgotten. */
    take(change: Change): SystemdMessage | null {
      const list = byUnit.get(change.service) ?? [];
      byUnit.delete(change.service);
      const newest = list.at(-1);
      if (newest === undefined) return null;
      const recent = list.filter((message) => newest.at - message.at <= MESSAGE_AGE_MAX).reverse();
      for (const id of TELLING[change.to] ?? []) {
        const found = recent.find((message) => message.messageId === id);
        if (found) return found;
      }
      return newest;
    },
    has: (service: string) => byUnit.has(service),
  };
}
