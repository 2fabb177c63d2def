import { AppError } from '../core/errors.ts';
import type { Grant } from '../rooms/types.ts';

/** Tokens that one connection may hold at a time. */
const GRANTS_MAX = 32;
/** Longest delay of a timer in Node, in ms. */
const TIMER_MAX_MS = 2_147_483_647;

/** The tokens for rooms that a connection has shown; each counts until it expires [SIO-10]. */
export interface RoomRights {
  /** @throws AppError too_many_rooms */
  add(grant: Grant): void;
  find(wanted: (grant: Grant) => boolean): Grant | undefined;
  readonly isEmpty: boolean;
  /** Called when a token has expired and does not count any more. */
  onExpired: () => void;
  /** Forgets all. */
  clear(): void;
}

export function createRoomRights(): RoomRights {
  const timers = new Map<Grant, NodeJS.Timeout | null>();

  function arm(grant: Grant, at: number): void {
    const left = at - Date.now();
    const timer = setTimeout(
      () => {
        if (left > TIMER_MAX_MS) return arm(grant, at);
        timers.delete(grant);
        rights.onExpired();
      },
      Math.min(left, TIMER_MAX_MS),
    );
    timers.set(grant, timer.unref());
  }

  const rights: RoomRights = {
    onExpired() {},
    add(grant) {
      if (timers.size >= GRANTS_MAX) throw new AppError('too_many_rooms');
      if (grant.expiresAt === null) timers.set(grant, null);
      else arm(grant, grant.expiresAt);
    },
    find: (wanted) => [...timers.keys()].find(wanted),
    get isEmpty() {
      return timers.size === 0;
    },
    clear() {
      for (const timer of timers.values()) if (timer) clearTimeout(timer);
      timers.clear();
    },
  };
  return rights;
}
