import { AppError } from '../core/errors.ts';
import type { Grant, HubMessage, Member } from '../rooms/types.ts';
import type { Session } from '../sessions/types.ts';
import { type EncodedChunk, encodeRoomMessages } from './frames.ts';
import { createRoomRights, type RightsOwner, type RoomRights } from './room-rights.ts';

/** Bytes of messages that may wait for one connection, as [LOG-4] allows; rooms have no position to come back to. */
const BACKLOG_MAX = 4 * 1024 * 1024;

/** A Socket.IO connection as a member of rooms [SIO-10]. */
export interface RoomMember extends Member {
  readonly rights: RoomRights;
}

/** What a member needs of its connection. */
interface Owner extends RightsOwner {
  readonly socket: { readonly id: string; readonly connected: boolean; disconnect(close: boolean): unknown };
  readonly login: { session: Session } | null;
  readonly member: RoomMember;
  readonly writer: { send(chunk: EncodedChunk): void; backlog(): number };
  fail(error: AppError): void;
}

/** A class, so that thousands of connections share its code. */
class SocketMember implements RoomMember {
  readonly id: string;
  readonly echo = false;
  readonly rights: RoomRights;
  private readonly owner: Owner;

  constructor(owner: Owner) {
    this.id = owner.socket.id;
    this.owner = owner;
    this.rights = createRoomRights(owner);
  }

  get name(): string {
    return this.rights.find(() => true)?.from ?? this.owner.login?.session.target.username ?? 'guest';
  }

  receive(messages: readonly HubMessage[]): void {
    const { owner } = this;
    if (!owner.socket.connected) return;
    if (owner.writer.backlog() <= BACKLOG_MAX) {
      owner.writer.send(encodeRoomMessages(messages));
      return;
    }
    owner.fail(new AppError('slow_reader'));
    owner.socket.disconnect(true);
  }
}

export function createRoomMember(owner: Owner): RoomMember {
  return new SocketMember(owner);
}

/**
 * The right of a connection to a room: one of its tokens, or its session where that is enough.
 * @throws AppError not_authenticated (neither), forbidden (not for this room)
 */
export function requireRoomRight(
  deps: { sessionRooms: boolean },
  connection: Pick<Owner, 'login' | 'member'>,
  isEnough: (grant: Grant) => boolean,
): { from: string } {
  const { login, member } = connection;
  const grant = member.rights.find(isEnough);
  if (grant) return grant;
  if (login && deps.sessionRooms) return { from: login.session.target.username };
  throw new AppError(login || !member.rights.isEmpty ? 'forbidden' : 'not_authenticated');
}
