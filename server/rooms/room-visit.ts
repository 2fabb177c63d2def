import { addressGroup } from '../core/client-address.ts';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import { closeCode, type RoomHooks } from './handlers/hooks.ts';
import type { AuthPayload, RoomPayload, RoomRequest, RoomSocket } from './handlers/types.ts';
import type { Prepared, RoomCore, Sender } from './room-core.ts';
import type { HubMessage, Member } from './types.ts';

/** Messages of one connection that its room's handler is busy with, and their characters as JSON. */
const IN_HAND_MAX = 5000;
const IN_HAND_MAX_CHARS = 16 * 1024 * 1024;
/** Live messages kept for a client until it has its welcome; beyond it the client is cut and comes again. */
const HELD_MAX = 1000;
/** How long after the welcome a message that stood in it may still arrive live, in ms. */
const OVERLAP_MS = 10_000;

/** The connection of a client, as rooms see it. Every method is harmless once it is closed. */
export interface RoomPeer {
  readonly id: string;
  readonly isOpen: boolean;
  send(text: string): void;
  /** Messages of the room, in the form that members get. */
  receive(messages: readonly HubMessage[]): void;
  disconnect(code: number, reason?: string): void;
  /** Closes with 4002 at that time, epoch ms. */
  expireAt(at: number): void;
}

/** One client in one room. */
export interface Visit {
  /**
   * A message of the client; they are published in the order of their calls.
   * @param chars its length as JSON @throws AppError, RoomRefusal
   */
  message(payload: RoomPayload, chars: number): Promise<void>;
  /** The connection has ended. */
  leave(code: number, reason: string): void;
}

export interface VisitOptions {
  hooks: RoomHooks;
  auth: AuthPayload;
  peer: RoomPeer;
  control: boolean;
  address: string;
  request: RoomRequest;
}

/** Handlers call this from timers of their own, where nobody would catch what it throws. @returns null: not JSON */
function textOf(message: unknown): string | null {
  if (typeof message === 'string') return message;
  try {
    return JSON.stringify(message) ?? null;
  } catch {
    return null;
  }
}

const NOTHING = Object.freeze({});

/** The side of a visit that handlers see. */
class Client implements RoomSocket {
  readonly id: string;
  readonly clientId: string;
  readonly room: string;
  readonly address: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly isControl: boolean;
  readonly #peer: RoomPeer;
  readonly #logger: Logger;

  constructor(core: RoomCore, { hooks, auth, peer, control, address }: VisitOptions) {
    this.id = peer.id;
    this.clientId = auth?.clientId ?? `guest-${peer.id.slice(0, 8)}`;
    this.room = hooks.room;
    this.address = address;
    this.metadata = auth?.metadata ?? NOTHING;
    this.isControl = control;
    this.#peer = peer;
    this.#logger = core.logger;
  }

  get isOpen(): boolean {
    return this.#peer.isOpen;
  }

  send(message: unknown): void {
    const text = textOf(message);
    if (text !== null) this.#peer.send(text);
    else this.#logger.error('room handler sent what is not JSON', { room: this.room });
  }

  close(code = 1000, reason?: string): void {
    this.#peer.disconnect(code === 1000 ? code : closeCode(code), reason);
  }
}

/** A class, so that thousands of clients share their methods; the hub knows it as its member. */
class RoomVisit implements Visit, Member {
  readonly id: string;
  readonly name: string;
  readonly echo = false;
  readonly #core: RoomCore;
  readonly #hooks: RoomHooks;
  readonly #peer: RoomPeer;
  readonly #socket: Client;
  readonly #owner: string;
  /** Whether the client is in, once that is decided. */
  readonly #joined: Promise<boolean>;
  #entered = false;
  #gone: { code: number; reason: string } | null = null;
  #inHand = 0;
  #inHandChars = 0;
  /** The message before the next one. */
  #turn: Promise<unknown> | null = null;
  /** Live messages that wait for the welcome; null once it is out. */
  #held: HubMessage[] | null = [];
  /** Messages that stood in the welcome and may still come live. */
  #shown: { ids: Set<string>; until: number } | null = null;

  constructor(core: RoomCore, options: VisitOptions) {
    const { hooks, auth, peer } = options;
    this.#core = core;
    this.#hooks = hooks;
    this.#peer = peer;
    this.#socket = new Client(core, options);
    this.#owner = auth?.clientId ?? addressGroup(options.address);
    this.id = peer.id;
    this.name = this.#socket.clientId;
    if (auth) peer.expireAt(auth.expiresAt);
    core.hold(hooks);
    this.#joined = this.#join(options).catch((error: unknown) => this.#turnAway(error));
  }

  receive(messages: readonly HubMessage[]): void {
    if (this.#held) {
      this.#held.push(...messages);
      if (this.#held.length > HELD_MAX) this.#peer.disconnect(4408, 'Reading too slowly');
      return;
    }
    if (this.#shown && performance.now() > this.#shown.until) this.#shown = null;
    const ids = this.#shown?.ids;
    const news = ids ? messages.filter(({ id }) => !ids.has(id)) : messages;
    if (news.length > 0) this.#peer.receive(news);
  }

  async message(payload: RoomPayload, chars: number): Promise<void> {
    if (this.#socket.isControl)
      throw new AppError('forbidden', { detail: 'the control channel only receives' });
    const isFull = this.#inHand > 0 && this.#inHandChars + chars > IN_HAND_MAX_CHARS;
    if (isFull || this.#inHand >= IN_HAND_MAX) throw new AppError('rate_limited');
    this.#inHand += 1;
    this.#inHandChars += chars;
    const { clientId: from, metadata, id: origin } = this.#socket;
    const sender: Sender = { source: 'client', from, owner: this.#owner, metadata, origin };
    // The handler starts with each message at once; what it makes of them goes out in their order.
    const handled = this.#handle(payload, sender);
    const before = this.#turn ?? Promise.resolve();
    const published = this.#core.during(
      before.then(async () => {
        const prepared = await handled;
        if (prepared) this.#core.publish(this.#hooks, payload, prepared, sender);
      }),
    );
    handled.catch(() => {});
    const turn = published
      .catch(() => {})
      .then(() => {
        this.#inHand -= 1;
        this.#inHandChars -= chars;
        if (this.#turn === turn) this.#turn = null;
      });
    this.#turn = turn;
    return published;
  }

  leave(code: number, reason: string): void {
    this.#gone = { code, reason };
    this.#depart();
    this.#core.release(this.#hooks);
  }

  async #handle(payload: RoomPayload, sender: Sender): Promise<Prepared | null> {
    if (!(await this.#joined)) return null;
    const done = await this.#hooks.message(payload, this.#socket);
    return done && this.#core.prepare(this.#hooks, done, sender);
  }

  /** @returns whether the client is in */
  async #join({ request, auth }: VisitOptions): Promise<boolean> {
    const rejection = await this.#hooks.join(this.#socket, request, auth);
    if (rejection) {
      this.#peer.disconnect(rejection.code, rejection.reason);
      return false;
    }
    this.#entered = true;
    if (!this.#gone) {
      if (this.#socket.isControl) this.#controlWelcome();
      else await this.#welcome();
    }
    // It may have gone in the meantime: then nothing of it may stay.
    this.#depart();
    return !this.#gone;
  }

  #turnAway(error: unknown): false {
    const full = error instanceof AppError && error.code !== 'internal';
    if (!full) this.#core.logger.error('room not joined', { room: this.#hooks.room, error });
    this.#peer.disconnect(full ? 4004 : 1011, full ? error.message : undefined);
    return false;
  }

  /** Sends the welcome behind the join: whatever is published after it arrives, what stands in it does not come again. */
  async #welcome(): Promise<void> {
    const { hub } = this.#core;
    const { room, historyLength } = this.#hooks;
    hub.join(room, this);
    this.#core.clients(room)?.add(this.#socket);
    // Whoever has the welcome is counted: a push to any instance says so from here on.
    const announced = hub.announced();
    const past = historyLength > 0 ? await hub.history(room, historyLength).catch(() => []) : [];
    await announced;
    const message = await this.#hooks.welcome(
      this.#socket,
      past.map(({ id, from, timestamp, data: content }) => ({ id, from, timestamp, content })),
    );
    if (this.#gone) return;
    if (message !== null && message !== undefined && message !== false) this.#socket.send(message);
    if (past.length > 0) {
      this.#shown = { ids: new Set(past.map(({ id }) => id)), until: performance.now() + OVERLAP_MS };
    }
    const waiting = this.#held ?? [];
    this.#held = null;
    if (waiting.length > 0) this.receive(waiting);
  }

  #controlWelcome(): void {
    const { room } = this.#hooks;
    const message = `Control channel of ${room}`;
    this.#socket.send({ type: 'control-welcome', message, room, time: new Date().toISOString() });
    this.#core.relay.add(this.#hooks, this.#socket);
  }

  /** Takes a client that has gone out of everything. */
  #depart(): void {
    if (!this.#gone) return;
    this.#core.hub.leaveAll(this);
    this.#core.relay.remove(this.#socket);
    this.#core.clients(this.#hooks.room)?.delete(this.#socket);
    if (this.#entered) this.#hooks.left(this.#socket, this.#gone.code, this.#gone.reason);
    this.#entered = false;
  }
}

/** Lets a client in: the handler decides, then it is a member of the room. */
export const createVisit = (core: RoomCore, options: VisitOptions): Visit => new RoomVisit(core, options);
