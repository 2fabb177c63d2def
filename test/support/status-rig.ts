import assert from 'node:assert/strict';
import { createMemoryLeases } from '../../server/cluster/memory.ts';
import type { LeaseManager } from '../../server/cluster/types.ts';
import { AppError } from '../../server/core/errors.ts';
import type { Logger } from '../../server/core/types.ts';
import type { SshTarget } from '../../server/ssh/types.ts';
import { createStatusFeed } from '../../server/status/feed.ts';
import { createMemoryBoard } from '../../server/status/memory-board.ts';
import type {
  LastLines,
  ReadUnitFacts,
  StatusBoard,
  StatusViewer,
  SystemdRecord,
} from '../../server/status/types.ts';
import type { StatusTransition, StatusWord, UnitStatus } from '../../shared/node-status.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
export const login = (password: string, host = 'node.example'): SshTarget => ({
  host,
  port: 22,
  username: 'op',
  credential: { method: 'password', password },
});
export const passwordOf = ({ credential }: SshTarget) =>
  credential.method === 'password' ? credential.password : '';

/** A host whose units and answers the test decides. */
function createFakeHost(clock: FakeClock) {
  const units = new Map<string, StatusWord>([
    ['execution', 'active'],
    ['consensus', 'active'],
  ]);
  const follows = new Set<{ target: SshTarget; push: (records: SystemdRecord[]) => void }>();
  const host = {
    units,
    follows,
    /** Logins of the probes, in order. */
    probes: [] as string[],
    /** Probes under way, and the most there ever were. */
    running: 0,
    mostRunning: 0,
    /** What an answer costs, in ms. */
    delay: 20,
    fail: null as AppError | null,
    refused: new Set<string>(),
    followsBegun: 0,
    /** What systemd says about a unit. */
    say(service: string, text: string, messageId = '') {
      const record = {
        realtimeUs: clock.now() * 1000,
        message: `${service}.service: ${text}`,
        extra: { UNIT: `${service}.service`, MESSAGE_ID: messageId },
      };
      for (const { push } of follows) push([record]);
    },
    async probe(target: SshTarget, services: readonly string[]): Promise<UnitStatus[]> {
      host.probes.push(passwordOf(target));
      host.running += 1;
      host.mostRunning = Math.max(host.mostRunning, host.running);
      await new Promise<void>((resolve) => {
        clock.after(host.delay, resolve);
      });
      host.running -= 1;
      if (host.fail) throw host.fail;
      if (host.refused.has(passwordOf(target))) throw new AppError('auth_failed');
      return services.map((service) => ({ service, status: units.get(service) ?? 'not_installed' }));
    },
    async *follow(target: SshTarget, _query: unknown, { signal }: { signal: AbortSignal }) {
      host.followsBegun += 1;
      let waiting: SystemdRecord[] = [];
      let wake = () => {};
      const me = {
        target,
        push(records: SystemdRecord[]) {
          waiting.push(...records);
          wake();
        },
      };
      signal.addEventListener('abort', () => wake());
      follows.add(me);
      try {
        while (!signal.aborted) {
          if (waiting.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
          const batch = waiting;
          waiting = [];
          yield batch;
        }
      } finally {
        follows.delete(me);
      }
    },
  };
  return host;
}

/** Everything a test of the status feed needs, made anew for each test and ended after it. */
export interface StatusRig {
  clock: FakeClock;
  host: ReturnType<typeof createFakeHost>;
  leases: LeaseManager;
  board: StatusBoard;
}

/** Registers the hooks of a rig in the surrounding `describe`; `onFresh` gets the parts before each test. */
export function useStatusRig(onFresh: (rig: StatusRig) => void) {
  let clock: FakeClock;
  let host: ReturnType<typeof createFakeHost>;
  let leases: LeaseManager;
  let board: StatusBoard;
  let stops: (() => Promise<void>)[];

  beforeEach(() => {
    clock = createFakeClock();
    host = createFakeHost(clock);
    leases = createMemoryLeases();
    board = createMemoryBoard({ clock });
    stops = [];
    onFresh({ clock, host, leases, board });
  });
  afterEach(async () => {
    host.fail = null;
    const all = Promise.all(stops.map((stop) => stop()));
    await clock.advance(60_000);
    await all;
    assert.equal(host.follows.size, 0);
  });

  function createFeed(
    more: {
      leases?: LeaseManager;
      board?: StatusBoard;
      instanceId?: string;
      lastLines?: LastLines;
      unitFacts?: ReadUnitFacts;
    } = {},
  ) {
    const feed = createStatusFeed({
      probe: host.probe,
      follow: host.follow,
      leases,
      board,
      clock,
      random: () => 0,
      logger: silent,
      instanceId: 'one',
      ...more,
    });
    stops.push(() => feed.stop());
    return feed;
  }

  /** A viewer that writes down what it gets, with the time since the test began. */
  function createViewer(interval: number, target = login('a'), services = ['execution', 'consensus']) {
    const begun = clock.now();
    const got = {
      lists: [] as { at: number; words: string }[],
      transitions: [] as StatusTransition[],
      errors: [] as string[],
    };
    const viewer: StatusViewer = {
      target,
      services,
      interval,
      onUpdate: (list) =>
        got.lists.push({ at: clock.now() - begun, words: list.map(({ status }) => status).join(' ') }),
      onTransition: (transition) => got.transitions.push(transition),
      onError: (error) => got.errors.push(error.code),
    };
    return { viewer, got };
  }

  return { createFeed, createViewer, onStop: (stop: () => Promise<void>) => stops.push(stop) };
}
