import type {
  AuthPayload,
  BroadcastContext,
  ControlContext,
  PastMessage,
  RoomHandler,
  RoomPayload,
  RoomRequest,
  RoomRoute,
  RoomSocket,
} from './types.ts';

/**
 * A room that lets everybody with a token of its name in and passes every message on. Rooms of your own extend it and
 * override what they need; the hooks and their rules are described at `RoomHandler`. Rooms without a handler get this one.
 */
export class BaseRoomHandler implements RoomHandler {
  readonly roomName: string;
  requiresAuth = true;
  broadcastDelay = 0;
  messageType = 'message';
  historyLength = 0;

  constructor(roomName: string) {
    this.roomName = roomName;
  }

  verifyAuth(_auth: AuthPayload, _request: RoomRequest, _clientAddress: string): unknown {
    return true;
  }

  onJoin(_socket: RoomSocket, _request: RoomRequest, _clientAddress: string, _auth: AuthPayload): unknown {
    return true;
  }

  onLeave(_socket: RoomSocket, _clientAddress: string, _code: number, _reason: string): unknown {
    return undefined;
  }

  onControlJoin(_socket: RoomSocket, _request: RoomRequest, _clientAddress: string): unknown {
    return true;
  }

  onControlLeave(_socket: RoomSocket, _clientAddress: string, _code: number, _reason: string): unknown {
    return undefined;
  }

  onMessage(_payload: RoomPayload, _socket: RoomSocket, _clientAddress: string): unknown {
    return null;
  }

  onHttpPost(_payload: RoomPayload): unknown {
    return null;
  }

  validateMessage(_payload: RoomPayload, _socket: RoomSocket): unknown {
    return null;
  }

  validateHttpPost(_payload: RoomPayload): unknown {
    return null;
  }

  getWelcomeMessage(socket: RoomSocket, _context: { history: readonly PastMessage[] }): unknown {
    return {
      type: 'welcome',
      message: `Welcome to ${this.roomName}`,
      room: this.roomName,
      clientId: socket.clientId,
      time: new Date().toISOString(),
    };
  }

  getRoomStats(clients: readonly RoomSocket[]): unknown {
    return { clients: clients.length };
  }

  onHeartbeat(): unknown {
    return undefined;
  }

  getRoutes(): readonly RoomRoute[] {
    return [];
  }

  /** That a message went through, without what it says. */
  getControlPayload({ room, from, timestamp, id, size }: ControlContext): unknown {
    return {
      type: 'control',
      event: 'message',
      room,
      from,
      timestamp: Math.floor(timestamp / 1000),
      id,
      size,
    };
  }

  getBroadcastDelay(_context: BroadcastContext): number | Promise<number> {
    return this.broadcastDelay;
  }
}
