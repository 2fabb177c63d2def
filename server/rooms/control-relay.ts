import type { Logger } from '../core/types.ts';
import type { RoomHooks } from './handlers/hooks.ts';
import type { RoomSocket } from './handlers/types.ts';
import type { Hub, HubMessage, Member } from './types.ts';

/** Messages of one room whose control payload is being made; beyond it control clients miss some. */
const PENDING_MAX = 1000;

export interface ControlRelay {
  add(hooks: RoomHooks, socket: RoomSocket): void;
  remove(socket: RoomSocket): void;
}

interface Relay {
  readonly member: Member;
  readonly sockets: Set<RoomSocket>;
}

/**
 * Serves the control channels of one instance [WS-2]: one hidden member a room hears its messages, has the handler make
 * the control payload once and gives it to all control clients, in the order of the messages.
 */
export function createControlRelay(deps: { hub: Hub; logger: Logger; instanceId: string }): ControlRelay {
  const { hub, logger } = deps;
  const relays = new Map<string, Relay>();

  function createRelay(hooks: RoomHooks): Relay {
    const sockets = new Set<RoomSocket>();
    let turn: Promise<void> = Promise.resolve();
    let pending = 0;

    async function pass(made: Promise<unknown>): Promise<void> {
      try {
        const payload = await made;
        if (payload === null || payload === undefined || payload === false) return;
        const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
        for (const socket of sockets) socket.send(text);
      } catch (error) {
        logger.warn('control payload not sent', { room: hooks.room, error });
      } finally {
        pending -= 1;
      }
    }

    function receive(messages: readonly HubMessage[]): void {
      for (const message of messages) {
        if (pending >= PENDING_MAX) {
          logger.warn('control payloads take too long', { room: hooks.room });
          return;
        }
        pending += 1;
        const { room, id, from, timestamp, data: content, json } = message;
        const made = hooks.controlPayload({ room, id, from, timestamp, content, size: json.length });
        turn = turn.then(() => pass(made));
      }
    }

    const member: Member = {
      id: `control:${deps.instanceId}:${hooks.room}`,
      name: 'control',
      echo: true,
      hidden: true,
      receive,
    };
    return { member, sockets };
  }

  return {
    add(hooks, socket) {
      const relay = relays.get(socket.room) ?? createRelay(hooks);
      if (relay.sockets.size === 0) hub.join(socket.room, relay.member);
      relays.set(socket.room, relay);
      relay.sockets.add(socket);
    },
    remove(socket) {
      const relay = relays.get(socket.room);
      if (!relay?.sockets.delete(socket) || relay.sockets.size > 0) return;
      relays.delete(socket.room);
      hub.leave(socket.room, relay.member);
    },
  };
}
