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
  /** Forgets all. */
  clear(): void;
}

export interface RightsOwner {
  /** A token has been added. */
  roomTokenAdded(): void;
  /** A token has expired and does not count any more. */
  roomTokenExpired(): void;
}

/** A class, so that thousands of connections share its code; most of them never show a token. */
class Rights implements RoomRights {
  /** By token; null until there is one. */
  private held: Map<string, { grant: Grant; timer: NodeJS.Timeout | null }> | null = null;
  private readonly owner: RightsOwner;

  constructor(owner: RightsOwner) {
    this.owner = owner;
  }

  get isEmpty(): boolean {
    return this.held === null || this.held.size === 0;
  }

  add(token: string, grant: Grant): void {
    this.held ??= new Map();
    if (this.held.has(token)) return;
    if (this.held.size >= GRANTS_MAX) throw new AppError('too_many_rooms');
    const timer = grant.expiresAt === null ? null : this.arm(token, grant, grant.expiresAt);
    this.held.set(token, { grant, timer });
    this.owner.roomTokenAdded();
  }

  find(wanted: (grant: Grant) => boolean): Grant | undefined {
    for (const { grant } of this.held?.values() ?? []) if (wanted(grant)) return grant;
    return undefined;
  }

  clear(): void {
    for (const { timer } of this.held?.values() ?? []) if (timer) clearTimeout(timer);
    this.held = null;
  }

  private arm(token: string, grant: Grant, at: number): NodeJS.Timeout {
    const left = at - Date.now();
    const timer = setTimeout(
      () => {
        if (left > TIMER_MAX_MS) {
          this.held?.set(token, { grant, timer: this.arm(token, grant, at) });
          return;
        }
        this.held?.delete(token);
        this.owner.roomTokenExpired();
      },
      Math.min(left, TIMER_MAX_MS),
    );
    return timer.unref();
  }
}

/** @param owner is told of tokens that count from now on, and of those that do not count any more */
export function createRoomRights(owner: RightsOwner): RoomRights {
  return new Rights(owner);
}
