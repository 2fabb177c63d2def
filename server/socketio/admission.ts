import type { ErrorCode } from '../../shared/errors.ts';
import type { StrangerLimits, Strangers } from '../core/strangers.ts';
import type { KeptRequest } from './io.ts';

/**
 * Socket.IO connections of one address that have shown no valid token. More than 1000 that all have had 3 s for it are no
 * office; while 5000 come back at once after an instance has died, each of them is younger than that.
 */
export const UNKNOWN_LIMITS: StrangerLimits = { calm: 1000, most: 5000, patienceMs: 3000 };

/** The part of an Engine.IO connection that is used here. */
export interface EngineConnection {
  readonly request: KeptRequest;
  /** `socket` is there for WebSocket alone. */
  readonly transport: { readonly socket?: { terminate(): void } };
  on(event: 'close', listener: (this: EngineConnection) => void): unknown;
  close(discard: boolean): void;
}

/** Time for the last words to leave, and for the client to take part in closing, in ms. */
const LAST_WORDS_MS = 500;

export interface Admission {
  /** How a connection that has joined is told why it ends. */
  onEnd(connection: EngineConnection, tell: (code: ErrorCode) => void): void;
  /** Its token is being looked up: it is not in anybody's way meanwhile. */
  pending(connection: EngineConnection): void;
  /** It has shown none that is valid. */
  unknown(connection: EngineConnection): void;
  /** It has shown a valid token, and may stay. */
  known(connection: EngineConnection): void;
}

interface Stay {
  address: string;
  /** Null while it is not counted. */
  leave: (() => void) | null;
  deadline: NodeJS.Timeout;
  tell?(code: ErrorCode): void;
}

/**
 * Sees to it that connections without a valid token neither stay longer than AUTH_TIMEOUT, counted from the moment they are
 * open [SIO-1], nor become too many for one client address.
 */
export function createAdmission(deps: {
  engine: { on(event: 'connection', listener: (connection: EngineConnection) => void): unknown };
  strangers: Strangers;
  authTimeoutMs: number;
}): Admission {
  const { engine, strangers, authTimeoutMs } = deps;
  const stays = new WeakMap<EngineConnection, Stay>();

  function end(connection: EngineConnection, code: ErrorCode): void {
    const stay = stays.get(connection);
    stay?.tell?.(code);
    connection.close(!stay?.tell);
  }

  function count(connection: EngineConnection, stay: Stay): void {
    stay.leave ??= strangers.enter(stay.address, () => end(connection, 'too_many_connections'));
  }

  function forget(connection: EngineConnection): void {
    const stay = stays.get(connection);
    if (!stay) return;
    stays.delete(connection);
    stay.leave?.();
    clearTimeout(stay.deadline);
  }

  // One function for all of them, as long as they live.
  function onClose(this: EngineConnection): void {
    const { socket } = this.transport;
    if (stays.has(this) && socket) setTimeout(() => socket.terminate(), LAST_WORDS_MS).unref();
    forget(this);
  }

  engine.on('connection', (connection) => {
    const stay: Stay = {
      address: connection.request.address,
      leave: null,
      deadline: setTimeout(() => end(connection, 'auth_timeout'), authTimeoutMs),
    };
    stays.set(connection, stay);
    connection.on('close', onClose);
    count(connection, stay);
  });

  return {
    onEnd(connection, tell) {
      const stay = stays.get(connection);
      if (stay) stay.tell = tell;
    },
    pending(connection) {
      const stay = stays.get(connection);
      stay?.leave?.();
      if (stay) stay.leave = null;
    },
    unknown(connection) {
      const stay = stays.get(connection);
      if (stay) count(connection, stay);
    },
    known: forget,
  };
}
