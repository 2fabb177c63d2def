import { AppError } from '../core/errors.ts';
import type { Logger, Stoppable } from '../core/types.ts';
import { BaseRoomHandler } from './handlers/base-room-handler.ts';
import type { LoadedHandler } from './handlers/discovery.ts';
import { createHooks, type Rejection, type RoomHooks, within } from './handlers/hooks.ts';
import type { AuthPayload, RoomRequest, RoomSocket } from './handlers/types.ts';
import { createPostDesk, type PostDesk } from './post-desk.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { createRoomCore } from './room-core.ts';
import { isRoomName } from './room-name.ts';
import { createVisit, type RoomPeer, type Visit } from './room-visit.ts';
import { CONTROL_SCOPE, type RoomClaims, type RoomTokens } from './tokens/room-token.ts';
import type { Hub } from './types.ts';

/** How long the figures of the rooms are good for, in ms: `/health` is public. */
const STATS_MS = 1000;
/** Longest that /health waits for a handler, in ms. */
const STATS_LIMIT_MS = 250;

export interface RoomHostDeps {
  hub: Hub;
  tokens: RoomTokens;
  handlers: readonly LoadedHandler[];
  replays: ReplayGuard;
  logger: Logger;
  instanceId: string;
  /** Largest payload as JSON, in bytes. */
  maxPayloadBytes: number;
  /** Ms between calls of `onHeartbeat`. */
  heartbeatIntervalMs: number;
  /** Time limit of a hook, in ms; HOOK_MS. */
  hookMs?: number;
}

/** Somebody at the door of a room. */
export interface EntryRequest {
  /** Null: the address names none. */
  room: string | null;
  control: boolean;
  token: string | null;
  address: string;
  request: RoomRequest;
}

/** Let in: what to do with the open connection. Otherwise the close code that says why. */
export type Entry = { reject: Rejection } | { open(peer: RoomPeer): Visit };

/** Rooms with handlers, over the hub [WS-2]: who comes in, what goes out. For Echo connections and for HTTP. */
export interface RoomHost extends Stoppable, PostDesk {
  /** The rooms that have a handler. */
  readonly registered: readonly RoomHooks[];
  /** The `type` of the frames that members of a room get. */
  messageType(room: string): string;
  admit(entry: EntryRequest): Promise<Entry>;
  /**
   * Has a room's handler look at a token that is shown elsewhere than at the room's own door, so without a request.
   * @throws AppError forbidden
   */
  vouch(claims: RoomClaims, address: string): Promise<void>;
  /** What the handlers say of their rooms on this instance. */
  stats(): Promise<Record<string, unknown>>;
}

/** The rooms of one instance, see `RoomHost`. */
export function createRoomHost(deps: RoomHostDeps): RoomHost {
  const { hub, tokens, logger } = deps;
  const byRoom = new Map<string, RoomHooks>();
  const clients = new Map<string, Set<RoomSocket>>();
  const hookDeps = { logger, ...(deps.hookMs === undefined ? {} : { hookMs: deps.hookMs }) };
  let stopped: Promise<void> | undefined;
  let figures: { at: number; value: Promise<Record<string, unknown>> } | undefined;

  for (const { room, handler, foreign, file } of deps.handlers) {
    try {
      const hooks = createHooks(handler, { room, foreign, ...hookDeps });
      if (hooks.historyLength > 0) hub.keepHistory(room, hooks.historyLength);
      byRoom.set(room, hooks);
      clients.set(room, new Set());
    } catch (error) {
      logger.error('Room handler left out', { file, reason: String(error), error });
    }
  }
  const registered = [...byRoom.values()];
  /** Rooms without a handler of their own, while somebody is there: one set of hooks for all of them. */
  const others = new Map<string, { hooks: RoomHooks; visits: number }>();
  const hooksOf = (room: string) =>
    byRoom.get(room) ??
    others.get(room)?.hooks ??
    createHooks(new BaseRoomHandler(room), { room, ...hookDeps });

  function hold(hooks: RoomHooks): void {
    if (byRoom.has(hooks.room)) return;
    const entry = others.get(hooks.room) ?? { hooks, visits: 0 };
    entry.visits += 1;
    others.set(hooks.room, entry);
  }

  function release(hooks: RoomHooks): void {
    const entry = others.get(hooks.room);
    if (!entry) return;
    entry.visits -= 1;
    if (entry.visits === 0) others.delete(hooks.room);
  }

  const core = createRoomCore({ ...deps, clients: (room) => clients.get(room), hold, release });

  /** The claims of a token, or null where the room takes anybody; a close code where it does not do. */
  function authenticate(hooks: RoomHooks, entry: EntryRequest): RoomClaims | null | Rejection {
    if (entry.token === null) {
      return hooks.requiresAuth || entry.control ? { code: 4001, reason: undefined } : null;
    }
    let claims: RoomClaims;
    try {
      claims = tokens.verify(entry.token);
    } catch {
      return { code: 4002, reason: undefined };
    }
    const fits = claims.room === hooks.room && (claims.scope === CONTROL_SCOPE) === entry.control;
    return fits ? claims : { code: 4004, reason: undefined };
  }

  async function readStats(): Promise<Record<string, unknown>> {
    const rows = registered.map(async (hooks) => [
      hooks.room,
      await within(hooks.stats([...(clients.get(hooks.room) ?? [])]), STATS_LIMIT_MS, 'getRoomStats').catch(
        () => null,
      ),
    ]);
    return Object.fromEntries(await Promise.all(rows)) as Record<string, unknown>;
  }

  const heartbeat = setInterval(() => {
    for (const hooks of registered) hooks.heartbeat();
  }, deps.heartbeatIntervalMs).unref();

  return {
    registered,
    messageType: (room) => byRoom.get(room)?.messageType ?? 'message',
    async admit(entry) {
      const { room } = entry;
      if (room === null || !isRoomName(room)) return { reject: { code: 4005, reason: undefined } };
      const hooks = hooksOf(room);
      const auth = authenticate(hooks, entry);
      if (auth && 'code' in auth) return { reject: auth };
      const reject = await hooks.verifyAuth(auth satisfies AuthPayload, entry.request, entry.address);
      if (reject) return { reject };
      return { open: (peer) => createVisit(core, { hooks, auth, peer, ...entry }) };
    },
    async vouch(claims, address) {
      const { room } = claims;
      const request = { path: `/rooms/${room}`, query: new URLSearchParams(), headers: {} };
      const rejection = await byRoom.get(room)?.verifyAuth(claims, request, address);
      if (rejection) throw new AppError('forbidden', rejection.reason ? { detail: rejection.reason } : {});
    },
    stats() {
      const now = performance.now();
      if (!figures || now - figures.at > STATS_MS) figures = { at: now, value: readStats() };
      return figures.value;
    },
    ...createPostDesk({ core, tokens, replays: deps.replays, hooksOf }),
    stop() {
      stopped ??= (async () => {
        clearInterval(heartbeat);
        await core.stop();
      })();
      return stopped;
    },
  };
}
