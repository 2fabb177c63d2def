import { AppError } from '../core/errors.ts';
import type { Grant } from '../rooms/types.ts';

/** Tokens that one connection may hold at a time: as many as rooms, since a room token is for one. */
const GRANTS_MAX = 256;
/** Longest delay of a timer in Node, in ms. */
const TIMER_MAX_MS = 2_147_483_647;

/** The tokens for rooms that a connection has shown; each counts until it expires [SIO-10]. */
export interface RoomRights {
  /** Showing a token again changes nothing. @throws AppError too_many_rooms */
  add(token: string, grant: Grant): void;
  find(wanted: (grant: Grant) => boolean): Grant | undefined;
  readonly isEmpty: boolean;
  /** Called when a token has been added. */
  onAdded: () => void;
  /** Called when a token has expired and does not count any more. */
  onExpired: () => void;
  /** Forgets all. */
  clear(): void;
}

export function createRoomRights(): RoomRights {
  const held = new Map<string, { grant: Grant; timer: NodeJS.Timeout | null }>();

  function arm(token: string, grant: Grant, at: number): void {
    const left = at - Date.now();
    const timer = setTimeout(
      () => {
        if (left > TIMER_MAX_MS) return arm(token, grant, at);
        held.delete(token);
        rights.onExpired();
      },
      Math.min(left, TIMER_MAX_MS),
    );
    held.set(token, { grant, timer: timer.unref() });
  }

  const rights: RoomRights = {
    onAdded() {},
    onExpired() {},
    add(token, grant) {
      if (held.has(token)) return;
      if (held.size >= GRANTS_MAX) throw new AppError('too_many_rooms');
      if (grant.expiresAt === null) held.set(token, { grant, timer: null });
      else arm(token, grant, grant.expiresAt);
      rights.onAdded();
    },
    find(wanted) {
      for (const { grant } of held.values()) if (wanted(grant)) return grant;
      return undefined;
    },
    get isEmpty() {
      return held.size === 0;
    },
    clear() {
      for (const { timer } of held.values()) if (timer) clearTimeout(timer);
      held.clear();
    },
  };
  return rights;
}
