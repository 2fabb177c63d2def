import type { Stoppable } from '../core/types.ts';

/**
 * One message of a room, channel or topic: the same thing in every dialect [WS-0]. The same object goes to all members
 * of an instance, so what a dialect makes of it can be kept in a WeakMap; nobody may change it.
 */
export interface HubMessage {
  readonly room: string;
  /** Who sent it, as others may see it: user or client id; `server` for messages over HTTP. */
  readonly from: string;
  /** The payload, parsed from `json` at the first use. */
  readonly data: unknown;
  /** The payload as JSON text, for putting it into a frame as it is. */
  readonly json: string;
  /** Epoch ms of its publication. */
  readonly timestamp: number;
  /** Unique in the cluster; a resume position in rooms with history. */
  readonly id: string;
  /** `client`: published over a connection; `server`: over HTTP or by the server itself. */
  readonly kind: MessageKind;
  /** Id of the member that published it; null where that was none. */
  readonly origin: string | null;
  /** Fields that the Echo form carries beside the payload, as the JSON text of an object; absent where there are none. */
  readonly extra?: string | undefined;
}

export type MessageKind = 'client' | 'server';

/** A message as instances hand it to each other and as history keeps it. */
export type WireMessage = Omit<HubMessage, 'data'>;

/** Someone who is in rooms: usually one connection. */
export interface Member {
  /** Unique in the cluster; `MessageSource.origin` of what this member publishes. */
  readonly id: string;
  /** What presence shows: user or client id. */
  readonly name: string;
  /** Whether it gets its own messages back (Nexus and MB do, Echo and Socket.IO do not) [WS-6]. */
  readonly echo: boolean;
  /** True: not counted and not shown by presence (control clients). */
  readonly hidden?: boolean;
  /**
   * Takes messages of one room, oldest first, never none. Members that get the same messages get the same array: what is
   * encoded for it can be shared (`createFrameCache`). Called outside of `join` and `publish`, at the end of the event
   * loop's turn. What it throws is logged and harms nobody else.
   */
  receive(messages: readonly HubMessage[]): void;
}

/** True: the member wants this payload. */
export type DataFilter = (data: unknown) => boolean;

export interface JoinOptions {
  /** Only messages whose data passes are received. */
  filter?: DataFilter | undefined;
}

export interface WatchOptions extends JoinOptions {
  /** Whether the member may have the messages of a room that matches; all unless told. */
  may?(room: string): boolean;
}

export interface MessageSource {
  from: string;
  data: unknown;
  kind: MessageKind;
  /** Id of the publishing member. */
  origin?: string;
  /** Fields beside the payload, for the Echo form. */
  extra?: Readonly<Record<string, unknown>> | undefined;
}

export interface Presence {
  /** Members in the cluster, hidden ones left out. */
  count: number;
  /** Their names, at most WHO_MAX for each instance. */
  who: string[];
  /** How many of them are where. */
  instances: ReadonlyMap<string, number>;
}

/**
 * Rooms over all dialects and instances [WS-6]. Membership is per instance; messages go round over the bus, once for each
 * instance and turn of the event loop, and what the bus loses is sent again; presence is in Redis with a time to live.
 */
export interface Hub extends Stoppable {
  /**
   * Puts a member into a room; messages published from here on reach it. Joining again replaces the options.
   * @throws AppError invalid_room, too_many_rooms, room_full
   */
  join(room: string, member: Member, options?: JoinOptions): void;
  /**
   * Joins behind message `after` of a room with history: what the history holds since then comes first, each once.
   * @returns whether nothing was lost; false also where the room keeps no history
   * @throws AppError as `join`
   */
  resume(room: string, member: Member, after: string, options?: JoinOptions): Promise<{ recovered: boolean }>;
  /** Not being in the room is no error. What was published before has been received. */
  leave(room: string, member: Member): void;
  /** Takes a member out of every room and ends its watches: for connections that close. */
  leaveAll(member: Member): void;
  /** The rooms that the member has joined, watches left out. */
  roomsOf(member: Member): string[];
  /**
   * Gives a member the messages of every room whose name matches a topic pattern (`isTopicPattern`), also those that come
   * into being later. In a room that it has joined as well it still gets each message once. Not part of presence.
   * @returns its end
   * @throws AppError too_many_rooms
   */
  watch(pattern: string, member: Member, options?: WatchOptions): () => void;
  /**
   * Publishes to all members of a room on all instances, the publisher included where it wants that.
   * @param source.data anything JSON can carry
   * @throws AppError invalid_room, invalid_request (no JSON), payload_too_large, forbidden (client on `system.*`)
   */
  publish(room: string, source: MessageSource): HubMessage;
  /** Hands out at once what was published so far, for answers that must not overtake it. Rooms with history go on alone. */
  flush(): void;
  /** Who is in a room in the cluster. Where Redis is away: who is here. */
  presence(room: string): Promise<Presence>;
  /** Ends when the other instances can see who is in which room here by now, or cannot be told within 0.25 s. Never fails. */
  announced(): Promise<void>;
  /** The newest messages that the room's history holds, oldest first; none in a room without history. @throws AppError store_unavailable */
  history(room: string, limit: number): Promise<HubMessage[]>;
  /** Has a room keep its newest `length` messages (1 to HISTORY_MAX) for an hour; to be said on every instance alike. */
  keepHistory(room: string, length: number): void;
  /** Rooms with members here, and the memberships in them. */
  stats(): { rooms: number; members: number };
}

/** What a token lets its bearer do [WS-1] [WS-2]. */
export interface Grant {
  /** Who it is, as others see it. */
  from: string;
  /** Epoch ms; null: never. */
  expiresAt: number | null;
  /** Whether rooms of this name may be joined and read. */
  mayJoin(room: string): boolean;
  /** Whether messages may be published there. */
  mayPublish(room: string): boolean;
}
