import { AppError } from '../core/errors.ts';
import { closeCode, type RoomHooks } from './handlers/hooks.ts';
import type { AuthPayload, RoomPayload, RoomRequest, RoomSocket } from './handlers/types.ts';
import type { Prepared, RoomCore, Sender } from './room-core.ts';
import type { HubMessage, Member } from './types.ts';

/** Messages of one connection that its room's handler is busy with. */
const IN_HAND_MAX = 5000;
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
  close(code: number, reason?: string): void;
  /** Epoch ms. */
  expireAt(at: number): void;
}

/** One client in one room. */
export interface Visit {
  /** A message of the client; they are published in the order of their calls. @throws AppError, RoomRefusal */
  message(payload: RoomPayload): Promise<void>;
  /** The connection has ended. */
  leave(code: number, reason: string): void;
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

export function createVisit(
  core: RoomCore,
  options: {
    hooks: RoomHooks;
    auth: AuthPayload;
    peer: RoomPeer;
    control: boolean;
    address: string;
    request: RoomRequest;
  },
): Visit {
  const { hub, logger, relay } = core;
  const { hooks, auth, peer, control, address, request } = options;
  const { room } = hooks;
  const clientId = auth?.clientId ?? `guest-${peer.id.slice(0, 8)}`;
  const sender: Sender = {
    source: 'client',
    from: clientId,
    metadata: auth?.metadata ?? {},
    origin: peer.id,
  };
  let entered = false;
  let gone: { code: number; reason: string } | undefined;
  let inHand = 0;
  let turn: Promise<unknown> = Promise.resolve();
  /** Live messages that wait for the welcome; null once it is out. */
  let held: HubMessage[] | null = [];
  /** Messages that stood in the welcome and may still come live. */
  let shown: { ids: Set<string>; until: number } | null = null;

  const socket: RoomSocket = {
    id: peer.id,
    clientId,
    room,
    address,
    metadata: sender.metadata,
    isControl: control,
    get isOpen() {
      return peer.isOpen;
    },
    send(message) {
      const text = textOf(message);
      if (text !== null) peer.send(text);
      else logger.error('room handler sent what is not JSON', { room });
    },
    close: (code = 1000, reason) => peer.close(code === 1000 ? code : closeCode(code), reason),
  };

  const member: Member = {
    id: peer.id,
    name: clientId,
    echo: false,
    receive(messages) {
      if (held) {
        held.push(...messages);
        if (held.length > HELD_MAX) peer.close(4408, 'Reading too slowly');
        return;
      }
      if (shown && performance.now() > shown.until) shown = null;
      const news = shown ? messages.filter(({ id }) => !shown?.ids.has(id)) : messages;
      if (news.length > 0) peer.receive(news);
    },
  };

  /** Sends the welcome behind the join: whatever is published after it arrives, what stands in it does not come again. */
  async function welcome(): Promise<void> {
    hub.join(room, member);
    core.clients(room)?.add(socket);
    const past = hooks.historyLength > 0 ? await hub.history(room, hooks.historyLength).catch(() => []) : [];
    const message = await hooks.welcome(
      socket,
      past.map(({ id, from, timestamp, data: content }) => ({ id, from, timestamp, content })),
    );
    if (gone) return;
    if (message !== null && message !== undefined && message !== false) socket.send(message);
    if (past.length > 0) {
      shown = { ids: new Set(past.map(({ id }) => id)), until: performance.now() + OVERLAP_MS };
    }
    const waiting = held ?? [];
    held = null;
    if (waiting.length > 0) member.receive(waiting);
  }

  function controlWelcome(): void {
    socket.send({
      type: 'control-welcome',
      message: `Control channel of ${room}`,
      room,
      time: new Date().toISOString(),
    });
    relay.add(hooks, socket);
  }

  function depart(): void {
    if (!gone) return;
    hub.leaveAll(member);
    relay.remove(socket);
    core.clients(room)?.delete(socket);
    if (entered) hooks.left(socket, gone.code, gone.reason);
  }

  /** @returns whether the client is in */
  async function join(): Promise<boolean> {
    const rejection = await hooks.join(socket, request, auth);
    if (rejection) {
      peer.close(rejection.code, rejection.reason);
      return false;
    }
    entered = true;
    if (!gone) {
      if (socket.isControl) controlWelcome();
      else await welcome();
    }
    // It may have gone in the meantime: then nothing of it may stay.
    if (gone) depart();
    return !gone;
  }

  async function handle(payload: RoomPayload): Promise<Prepared | null> {
    if (!(await joined)) return null;
    const done = await hooks.message(payload, socket);
    return done && core.prepare(hooks, done, sender);
  }

  if (auth) peer.expireAt(auth.expiresAt);
  const joined = join().catch((error: unknown) => {
    const full = error instanceof AppError && error.code !== 'internal';
    if (!full) logger.error('room not joined', { room, error });
    peer.close(full ? 4004 : 1011, full ? error.message : undefined);
    return false;
  });

  return {
    async message(payload) {
      if (socket.isControl) throw new AppError('forbidden', { detail: 'the control channel only receives' });
      if (inHand >= IN_HAND_MAX) throw new AppError('rate_limited');
      inHand += 1;
      // The handler starts with each message at once; what it makes of them goes out in their order.
      const handled = handle(payload);
      const published = turn.then(async () => {
        const prepared = await handled;
        if (prepared) core.publish(hooks, payload, prepared, sender);
      });
      handled.catch(() => {});
      turn = published
        .catch(() => {})
        .finally(() => {
          inHand -= 1;
        });
      return published;
    },
    leave(code, reason) {
      gone = { code, reason };
      depart();
      entered = false;
    },
  };
}
