import type { Bus } from '../cluster/bus.ts';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import { within } from './handlers/hooks.ts';
import { HISTORY_MAX, type HistoryStore } from './history.ts';
import { createMessage, encodeData } from './message.ts';
import { type PresenceEntry, type PresenceStore, WHO_MAX } from './presence.ts';
import { createRelay } from './relay.ts';
import { checkRoomName, isReserved } from './room-name.ts';
import type { DataFilter, Hub, HubMessage, Member, Presence, WireMessage } from './types.ts';
import { createWatches } from './watches.ts';

/** Rooms with members on one instance: five times the connections it is built for. */
const ROOMS_MAX = 100_000;
/** Members of one room on one instance: all its connections. */
const MEMBERS_MAX = 20_000;
/** Rooms and watches of one member. */
const ROOMS_PER_MEMBER_MAX = 256;
/** Live messages kept for one member while its history is read. */
const HELD_MAX = 1000;

/** Longest that anybody waits until other instances know who is here, in ms. */
const ANNOUNCE_MS = 250;

/** The filters of a member that wants every message. */
const EVERYTHING: readonly undefined[] = [undefined];

interface Membership {
  filter: DataFilter | undefined;
  /** Live messages that have to wait for the history; null where none is being read. */
  held: HubMessage[] | null;
}

interface Room {
  readonly members: Map<Member, Membership>;
  /** Members presence counts. */
  visible: number;
}

export interface HubDeps {
  instanceId: string;
  bus: Bus;
  presence: PresenceStore;
  history: HistoryStore;
  /** Largest payload as JSON, in bytes. */
  maxPayloadBytes: number;
  logger: Logger;
  /** A message was delivered to members here. */
  onDelivered?(members: number, messages: number): void;
}

/** The hub of one instance, see `Hub`. */
export function createHub(deps: HubDeps): Hub {
  const { instanceId, bus, presence, logger } = deps;
  const relay = createRelay({
    bus,
    instanceId,
    onMessages: arrive,
    onLost: (turns) => logger.warn('room messages of another instance are lost', { turns }),
  });
  const rooms = new Map<string, Room>();
  /** Arrays, since most members are in one room or two. */
  const roomsOf = new Map<Member, string[]>();
  const historyLengths = new Map<string, number>();
  const watches = createWatches();
  /** Those whose history is being read. */
  const resumes = new WeakMap<Membership, Promise<{ recovered: boolean }>>();
  /** Published here, not yet told to anybody: one turn of the event loop. */
  let outgoing: WireMessage[] = [];
  /** Arrived, not yet handed to the members here: one turn of the event loop. */
  let pending = new Map<string, HubMessage[]>();
  /** By room with history: the append that the next message waits for. */
  const appends = new Map<string, Promise<void>>();
  let scheduled = false;
  let sequence = 0;
  let memberships = 0;
  let stopped: Promise<void> | undefined;

  const entryOf = (name: string): PresenceEntry | null => {
    const room = rooms.get(name);
    if (!room || room.visible === 0) return null;
    const who: string[] = [];
    for (const member of room.members.keys()) {
      if (who.length >= WHO_MAX) break;
      if (!member.hidden) who.push(member.name);
    }
    return { count: room.visible, who };
  };

  function schedule(): void {
    if (scheduled || stopped) return;
    scheduled = true;
    // The end of this turn: what came in together goes out together, and a single message goes out at once.
    setImmediate(() => {
      scheduled = false;
      flush();
    });
  }

  /** Tells the instances, this one included, what was published. Rooms with history write it down first. */
  function send(): void {
    if (outgoing.length === 0) return;
    const plain: WireMessage[] = [];
    const kept = new Map<string, WireMessage[]>();
    for (const message of outgoing) {
      if (!historyLengths.has(message.room)) plain.push(message);
      else
        kept
          .set(message.room, kept.get(message.room) ?? [])
          .get(message.room)
          ?.push(message);
    }
    outgoing = [];
    if (plain.length > 0) relay.send(plain);
    for (const [room, messages] of kept) append(room, historyLengths.get(room) ?? 1, messages);
  }

  /**
   * Writes to the history, then tells: so whoever reads the history after a message has passed by finds it there. One
   * append after the other keeps the order.
   */
  function append(room: string, length: number, messages: readonly WireMessage[]): void {
    const turn = (appends.get(room) ?? Promise.resolve())
      .then(() => deps.history.append(room, length, messages))
      .catch((error: unknown) => logger.warn('room history not written', { error: String(error) }))
      .then(() => {
        relay.send(messages);
        if (appends.get(room) === turn) appends.delete(room);
      });
    appends.set(room, turn);
  }

  function arrive(messages: readonly WireMessage[]): void {
    for (const wire of messages) {
      if (!rooms.has(wire.room) && watches.of(wire.room).size === 0) continue;
      const message = createMessage(wire);
      const list = pending.get(wire.room);
      if (list) list.push(message);
      else pending.set(wire.room, [message]);
    }
    if (pending.size > 0) schedule();
  }

  function flush(): void {
    send();
    const batch = pending;
    pending = new Map();
    for (const [name, messages] of batch) deliver(name, messages);
  }

  /** What the others must not get ahead of: everything published to this room so far. */
  function settle(name: string): void {
    send();
    const messages = pending.get(name);
    if (!messages) return;
    pending.delete(name);
    deliver(name, messages);
  }

  function deliver(name: string, messages: HubMessage[]): void {
    const members = rooms.get(name)?.members ?? new Map<Member, Membership>();
    const watching = watches.of(name);
    const origins = new Set(messages.map(({ origin }) => origin));
    let reached = 0;
    const serve = (
      member: Member,
      filters: readonly (DataFilter | undefined)[],
      held: HubMessage[] | null,
    ) => {
      const wanted = select(messages, member, filters, origins);
      if (wanted.length === 0) return;
      reached += 1;
      if (held) hold(held, wanted);
      else give(member, wanted);
    };
    // A copy: somebody may be closed, and so leave, while the others get theirs.
    for (const [member, { filter, held }] of [...members]) {
      const also = watching.get(member);
      serve(member, also ? [filter, ...also] : filter ? [filter] : EVERYTHING, held);
    }
    for (const [member, filters] of watching) {
      if (!members.has(member)) serve(member, filters, null);
    }
    if (reached > 0) deps.onDelivered?.(reached, messages.length);
  }

  /** What of a batch a member gets: the very same array where it gets all. */
  function select(
    messages: readonly HubMessage[],
    member: Member,
    filters: readonly (DataFilter | undefined)[],
    origins: ReadonlySet<string | null>,
  ): readonly HubMessage[] {
    const own = !member.echo && origins.has(member.id);
    const open = filters.includes(undefined);
    if (!own && open) return messages;
    const wanted = messages.filter(
      (message) =>
        !(own && message.origin === member.id) && (open || filters.some((filter) => filter?.(message.data))),
    );
    return wanted.length === messages.length ? messages : wanted;
  }

  function give(member: Member, messages: readonly HubMessage[]): void {
    try {
      member.receive(messages);
    } catch (error) {
      logger.error('a member failed to take messages', { error });
    }
  }

  function hold(held: HubMessage[], messages: readonly HubMessage[]): void {
    held.push(...messages);
    if (held.length > HELD_MAX) held.splice(0, held.length - HELD_MAX);
  }

  function enter(
    name: string,
    member: Member,
    filter: DataFilter | undefined,
    held: HubMessage[] | null,
  ): Membership {
    checkRoomName(name);
    settle(name);
    const known = rooms.get(name)?.members.get(member);
    if (known) {
      known.filter = filter;
      known.held ??= held;
      return known;
    }
    const joined = roomsOf.get(member);
    if ((joined?.length ?? 0) + watches.count(member) >= ROOMS_PER_MEMBER_MAX)
      throw new AppError('too_many_rooms');
    let room = rooms.get(name);
    if (!room) {
      if (rooms.size >= ROOMS_MAX) throw new AppError('too_many_rooms');
      room = { members: new Map(), visible: 0 };
    }
    if (room.members.size >= MEMBERS_MAX) throw new AppError('room_full');
    rooms.set(name, room);
    if (joined) joined.push(name);
    else roomsOf.set(member, [name]);
    const membership: Membership = { filter, held };
    room.members.set(member, membership);
    memberships += 1;
    if (!member.hidden) {
      room.visible += 1;
      presence.set(name, () => entryOf(name));
    }
    return membership;
  }

  function leave(name: string, member: Member): void {
    if (!rooms.get(name)?.members.has(member)) return;
    settle(name);
    const room = rooms.get(name);
    // Whoever was closed by what it just got has left already.
    if (!room?.members.delete(member)) return;
    memberships -= 1;
    const joined = roomsOf.get(member);
    joined?.splice(joined.indexOf(name), 1);
    if (joined?.length === 0) roomsOf.delete(member);
    if (room.members.size === 0) rooms.delete(name);
    if (!member.hidden) {
      room.visible -= 1;
      presence.set(name, () => entryOf(name));
    }
  }

  /** Gives a member what the history holds behind `after`, and then what came meanwhile. */
  async function catchUp(
    name: string,
    member: Member,
    membership: Membership,
    after: string,
  ): Promise<{ recovered: boolean }> {
    const kept = await deps.history.read(name).catch(() => []);
    if (rooms.get(name)?.members.get(member) !== membership) return { recovered: false };
    const position = kept.findIndex(({ id }) => id === after);
    const missed = (position < 0 ? [] : kept.slice(position + 1)).map(createMessage);
    const seen = new Set(missed.map(({ id }) => id));
    const later = (membership.held ?? []).filter(({ id }) => !seen.has(id) && id !== after);
    const overrun = (membership.held?.length ?? 0) >= HELD_MAX;
    membership.held = null;
    const wanted = select(missed, member, [membership.filter], new Set(missed.map(({ origin }) => origin)));
    const all = [...wanted, ...later];
    if (all.length > 0) give(member, all);
    return { recovered: position >= 0 && !overrun };
  }

  return {
    join(name, member, options = {}) {
      enter(name, member, options.filter, null);
    },
    async resume(name, member, after, options = {}) {
      const length = historyLengths.get(name);
      if (length === undefined) {
        enter(name, member, options.filter, null);
        return { recovered: false };
      }
      // Asked again while it is under way: what is missed comes once.
      const known = rooms.get(name)?.members.get(member);
      const running = known?.held ? resumes.get(known) : undefined;
      if (running) return running;
      const membership = enter(name, member, options.filter, []);
      const resumed = catchUp(name, member, membership, after);
      resumes.set(membership, resumed);
      return resumed;
    },
    leave,
    leaveAll(member) {
      for (const name of [...(roomsOf.get(member) ?? [])]) leave(name, member);
      watches.remove(member);
    },
    roomsOf: (member) => [...(roomsOf.get(member) ?? [])],
    watch(pattern, member, options = {}) {
      if ((roomsOf.get(member)?.length ?? 0) + watches.count(member) >= ROOMS_PER_MEMBER_MAX) {
        throw new AppError('too_many_rooms');
      }
      flush();
      const { filter, may = () => true } = options;
      const end = watches.add({ pattern, member, filter, may });
      return () => {
        flush();
        end();
      };
    },
    publish(name, source) {
      checkRoomName(name);
      if (stopped) throw new AppError('draining');
      if (source.kind === 'client' && isReserved(name)) {
        throw new AppError('forbidden', { detail: 'system.* is published by the server only' });
      }
      const wire: WireMessage = {
        room: name,
        from: source.from,
        json: encodeData(source.data, deps.maxPayloadBytes),
        timestamp: Date.now(),
        id: `${instanceId.slice(0, 13)}-${(++sequence).toString(36)}`,
        kind: source.kind,
        origin: source.origin ?? null,
        ...(source.extra ? { extra: encodeData(source.extra, deps.maxPayloadBytes) } : {}),
      };
      outgoing.push(wire);
      schedule();
      return createMessage(wire);
    },
    flush,
    async presence(name): Promise<Presence> {
      const here = entryOf(checkRoomName(name));
      const others = await presence.others(name).catch(() => new Map<string, PresenceEntry>());
      const all = new Map(here ? [...others, [instanceId, here]] : others);
      return {
        count: [...all.values()].reduce((sum, { count }) => sum + count, 0),
        who: [...all.values()].flatMap(({ who }) => who),
        instances: new Map([...all].map(([instance, { count }]) => [instance, count])),
      };
    },
    announced: () => within(presence.told(), ANNOUNCE_MS, 'presence').catch(() => {}),
    async history(name, limit) {
      if (!historyLengths.has(name) || limit <= 0) return [];
      return (await deps.history.read(name)).slice(-limit).map(createMessage);
    },
    keepHistory(name, length) {
      historyLengths.set(checkRoomName(name), Math.max(1, Math.min(length, HISTORY_MAX)));
    },
    stats: () => ({ rooms: rooms.size, members: memberships }),
    stop() {
      stopped ??= (async () => {
        flush();
        await Promise.all(appends.values());
        await relay.stop();
        await presence.stop();
      })();
      return stopped;
    },
  };
}
