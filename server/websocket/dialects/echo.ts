import { CLOSE_CODES, type CloseName } from '../../../shared/close-codes.ts';
import { ECHO_SUPPRESSED, type EchoAnswer, echoMessageSchema } from '../../../shared/echo.ts';
import { AppError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createFrameCache } from '../../core/websocket-frame.ts';
import { type Rejection, RoomRefusal } from '../../rooms/handlers/hooks.ts';
import type { RoomPayload } from '../../rooms/handlers/types.ts';
import { isReservedPath } from '../../rooms/reserved-names.ts';
import type { RoomHost } from '../../rooms/room-host.ts';
import type { RoomPeer, Visit } from '../../rooms/room-visit.ts';
import type { HubMessage } from '../../rooms/types.ts';
import type { Connection, Dialect, DialectSession, UpgradeRequest } from '../types.ts';
import { chooseProtocol, requestToken } from '../upgrade-request.ts';

const LONG = '/rooms/';
const CONTROL = '/remotecontrol';
/** What makes `/` an address of rooms: without them, or with the parameters of key validation [WS-3], it is that one's. */
const OWN_PARAMETERS = ['room', 'token'];
const KEY_PARAMETERS = ['serviceId', 'hwid', 'key'];

type FrameCache = ReturnType<typeof createFrameCache<HubMessage>>;

const NAMES = new Map(
  Object.entries(CLOSE_CODES).map(([name, { code }]) => [code as number, name as CloseName]),
);

/**
 * The room that an address names: `/:room`, `/rooms/:room`, either with `/remotecontrol` behind, or `?room=` where the
 * path has none. @returns null where the address is not one of a room
 */
function roomOf({ path: at, query }: UpgradeRequest): { room: string | null; control: boolean } | null {
  if (at === '/' || at === '/rooms') {
    const has = (names: readonly string[]) => names.some((name) => query.has(name));
    const isOurs = at !== '/' || (has(OWN_PARAMETERS) && !has(KEY_PARAMETERS));
    return isOurs ? { room: query.get('room') || null, control: false } : null;
  }
  const isLong = at.startsWith(LONG);
  const name = at.slice(isLong ? LONG.length : 1);
  const control = name.endsWith(CONTROL);
  const room = control ? name.slice(0, -CONTROL.length) : name;
  if (!isLong && (room.includes('/') || isReservedPath(room))) return null;
  return { room, control };
}

function disconnect(connection: Connection, code: number, reason?: string): void {
  connection.close(NAMES.get(code) ?? code, reason);
}

/** Upgraded only to be told why it may not come in. */
function turnAway(connection: Connection, { code, reason }: Rejection): DialectSession {
  disconnect(connection, code, reason);
  return { message() {}, fail() {} };
}

/** One client that has been let in. A class, so that thousands of connections share their methods. */
class EchoSession implements DialectSession, RoomPeer {
  readonly id: string;
  readonly #connection: Connection;
  readonly #frames: FrameCache;
  readonly #visit: Visit;

  constructor(connection: Connection, frames: FrameCache, enter: (peer: RoomPeer) => Visit) {
    this.id = connection.id;
    this.#connection = connection;
    this.#frames = frames;
    this.#visit = enter(this);
  }

  message(data: string | Buffer): void | Promise<void> {
    if (typeof data !== 'string') throw new AppError('invalid_request', { detail: 'text messages only' });
    const message = parseJson(data);
    const parsed = echoMessageSchema.safeParse(message);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new AppError('invalid_request', {
        detail: `${issue?.path.join('.') || 'message'}: ${issue?.message}`,
      });
    }
    const { type } = parsed.data;
    if (typeof type === 'string' && ECHO_SUPPRESSED.includes(type)) {
      return this.#answer({ type: 'ack', ackType: type, receivedAt: new Date().toISOString() });
    }
    // As it was parsed: copying it could turn a field into a prototype.
    return this.#visit.message(message as RoomPayload, data.length);
  }

  fail(error: AppError): void {
    const own = error instanceof RoomRefusal ? error : null;
    this.#answer({
      type: 'error',
      error: own?.text ?? error.toPayload().message,
      code: own?.handlerCode ?? error.code,
    });
  }

  close(code: number, reason: string): void {
    this.#visit.leave(code, reason);
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  send(text: string): void {
    this.#connection.send(text);
  }

  receive(messages: readonly HubMessage[]): void {
    this.#connection.sendFrames(this.#frames(messages));
  }

  disconnect(code: number, reason?: string): void {
    disconnect(this.#connection, code, reason);
  }

  expireAt(at: number): void {
    this.#connection.expireAt(at, 'invalid_token');
  }

  #answer(message: EchoAnswer): void {
    this.#connection.send(JSON.stringify(message));
  }
}

/** Echo rooms on `/:room` and `/rooms/:room` [WS-2]. @param deps.rooms null: the dialect is off */
export function createEchoDialect(deps: { rooms: RoomHost | null }): Dialect {
  const { rooms } = deps;

  /** A hub message as its frame; the payload goes in as the text it came as. */
  function encode(message: HubMessage): string {
    const extra = message.extra === undefined ? {} : (JSON.parse(message.extra) as Record<string, unknown>);
    const { type = rooms?.messageType(message.room) ?? 'message', ...rest } = extra;
    const head = `{"type":${JSON.stringify(type)},"content":${message.json},"from":${JSON.stringify(message.from)}`;
    const tail = JSON.stringify({ timestamp: Math.floor(message.timestamp / 1000), id: message.id, ...rest });
    return `${head},${tail.slice(1)}`;
  }
  const frames = createFrameCache(encode);

  return {
    name: 'echo',
    off: rooms ? undefined : 'HMAC_SECRET is not set',
    matches: (request) => roomOf(request) !== null,
    async admit(request) {
      const target = roomOf(request);
      if (!rooms || !target) return { refuse: 'not_found' };
      const { path, query, headers, address } = request;
      const token = requestToken(request);
      const entry = await rooms.admit({
        ...target,
        token,
        address,
        request: { path, query, headers },
      });
      return {
        protocol: chooseProtocol(request, 'echo'),
        // Those that are turned away stay until they have taken part in closing, too.
        anonymous: token === null || 'reject' in entry,
        open: (connection) =>
          'reject' in entry
            ? turnAway(connection, entry.reject)
            : new EchoSession(connection, frames, entry.open),
      };
    },
  };
}
