import { BaseRoomHandler } from '../base-room-handler.ts';
import type { BroadcastContext, ControlContext, PastMessage, RoomSocket } from '../types.ts';

/** Messages the room keeps, and how many of them a welcome shows. */
const KEPT = 10;
const SHOWN = 5;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Content pushed to listeners. Whoever tunes in gets the newest of it with the welcome; a `delay` in seconds, in the
 * message or else in the sender's token metadata, keeps it back; players on the control channel are told what to play.
 */
export default class RadioRoomHandler extends BaseRoomHandler {
  override messageType = 'radio-content';
  override historyLength = KEPT;

  override getWelcomeMessage(socket: RoomSocket, context: { history: readonly PastMessage[] }): unknown {
    const recent = context.history.slice(-SHOWN).map(({ id, from, timestamp, content }) => ({
      type: this.messageType,
      content,
      from,
      timestamp: Math.floor(timestamp / 1000),
      id,
    }));
    return {
      type: 'welcome',
      message: `Welcome to ${this.roomName}`,
      room: this.roomName,
      clientId: socket.clientId,
      time: new Date().toISOString(),
      recent,
    };
  }

  override getBroadcastDelay({ payload, metadata }: BroadcastContext): number {
    const seconds = [payload.delay, metadata.delay].find((delay) => typeof delay === 'number' && delay >= 0);
    return typeof seconds === 'number' ? seconds * 1000 : this.broadcastDelay;
  }

  override getControlPayload({ id, content }: ControlContext): unknown {
    const { name, title, duration, 'max-duration': longest } = isRecord(content) ? content : {};
    return {
      rc: {
        version: 1,
        id,
        action: 'play_now',
        name: name ?? title ?? null,
        'max-duration': longest ?? duration ?? null,
      },
    };
  }
}
