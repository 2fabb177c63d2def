import { isDeepStrictEqual } from 'node:util';
import {
  NEXUS_ACTIONS,
  type NexusAnswer,
  type NexusRequest,
  nexusRequestSchema,
} from '../../../shared/nexus.ts';
import { AppError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createFrameCache } from '../../core/websocket-frame.ts';
import { anyFilter, compileFilter } from '../../rooms/filter.ts';
import { checkRoomName } from '../../rooms/room-name.ts';
import type { Jwts } from '../../rooms/tokens/jwt.ts';
import type { Grant, Hub, HubMessage, Member } from '../../rooms/types.ts';
import type { Connection, Dialect, DialectSession } from '../types.ts';
import { chooseProtocol, requestToken } from '../upgrade-request.ts';

/** Different filters that one connection may have on one channel. */
const SUBSCRIPTIONS_PER_CHANNEL = 16;
/** Filters as JSON that one connection may hold, in characters: they are kept, and compared with every message. */
const FILTERS_MAX_CHARS = 65_536;
/** Longest unknown action that is repeated to the client. */
const ACTION_SHOWN = 64;

type Filters = Record<string, unknown> | null | undefined;
type FrameCache = ReturnType<typeof createFrameCache<HubMessage>>;

/** Characters of filters as JSON; the empty ones are free. */
function sizeOf(filters: Filters): number {
  return filters ? JSON.stringify(filters).length - 2 : 0;
}

/** A hub message as its frame; the payload goes in as the text it came as. */
function encode(message: HubMessage): string {
  const channel = JSON.stringify(message.room);
  const rest = `"data":${message.json},"timestamp":"${new Date(message.timestamp).toISOString()}","id":${JSON.stringify(message.id)}}`;
  return message.kind === 'client'
    ? `{"type":"message","channel":${channel},"from":${JSON.stringify(message.from)},${rest}`
    : `{"type":"broadcast","channel":${channel},${rest}`;
}

/** What all connections of the dialect have in common. */
interface Common {
  hub: Hub;
  frames: FrameCache;
}

/** One connection, a member of its channels. A class, so that thousands of connections share their code. */
class NexusSession implements DialectSession, Member {
  readonly id: string;
  readonly echo = true;
  readonly #common: Common;
  readonly #connection: Connection;
  readonly #grant: Grant;
  /** By channel; null until there is one. */
  #subscriptions: Map<string, Filters[]> | null = null;
  #filterChars = 0;

  constructor(common: Common, connection: Connection, grant: Grant) {
    this.id = connection.id;
    this.#common = common;
    this.#connection = connection;
    this.#grant = grant;
    this.#answer({ type: 'connected', message: 'Welcome to Nexus WebSocket', userId: grant.from });
    connection.expireAt(grant.expiresAt);
  }

  get name(): string {
    return this.#grant.from;
  }

  receive(messages: readonly HubMessage[]): void {
    this.#connection.sendFrames(this.#common.frames(messages));
  }

  message(data: string | Buffer): void {
    const request = parseJson(data.toString());
    const parsed = nexusRequestSchema.safeParse(request);
    if (parsed.success) {
      this.#handle(parsed.data, request as { filters?: Filters });
      return;
    }
    const action = (request as { action?: unknown } | null)?.action;
    if (typeof action !== 'string' || !NEXUS_ACTIONS.includes(action)) {
      const shown = typeof action === 'string' ? action : JSON.stringify(action);
      const message = `Unknown action: ${String(shown).slice(0, ACTION_SHOWN)}`;
      this.#answer({ type: 'error', message, code: 'unknown_event' });
      return;
    }
    const [issue] = parsed.error.issues;
    throw new AppError('invalid_request', { detail: `${issue?.path.join('.')}: ${issue?.message}` });
  }

  fail(error: AppError): void {
    this.#answer({ type: 'error', message: error.toPayload().message, code: error.code });
  }

  close(): void {
    this.#common.hub.leaveAll(this);
  }

  #answer(message: NexusAnswer): void {
    this.#connection.send(JSON.stringify(message));
  }

  #subscribe(channel: string, filters: Filters): void {
    if (!this.#grant.mayJoin(checkRoomName(channel))) throw new AppError('forbidden', { detail: channel });
    const held = this.#subscriptions?.get(channel) ?? [];
    const known = held.some((one) => isDeepStrictEqual(one ?? {}, filters ?? {}));
    const chars = known ? this.#filterChars : this.#filterChars + sizeOf(filters);
    const isFull = held.length >= SUBSCRIPTIONS_PER_CHANNEL || chars > FILTERS_MAX_CHARS;
    if (!known && isFull) throw new AppError('too_many_streams');
    const all = known ? held : [...held, filters];
    this.#common.hub.join(channel, this, { filter: anyFilter(all.map(compileFilter)) });
    this.#subscriptions ??= new Map();
    this.#subscriptions.set(channel, all);
    this.#filterChars = chars;
    this.#connection.hold(this.#common.hub.announced());
    this.#answer({ type: 'subscribed', channel, ...(filters === undefined ? {} : { filters }) });
  }

  /** @param raw the request as it was parsed: a schema leaves fields like `__proto__` out, and a filter has to filter */
  #handle(request: NexusRequest, raw: { filters?: Filters }): void {
    const { hub } = this.#common;
    switch (request.action) {
      case 'subscribe':
        this.#subscribe(request.channel, raw.filters);
        break;
      case 'unsubscribe':
        for (const filters of this.#subscriptions?.get(request.channel) ?? [])
          this.#filterChars -= sizeOf(filters);
        this.#subscriptions?.delete(request.channel);
        hub.leave(request.channel, this);
        this.#connection.hold(hub.announced());
        this.#answer({ type: 'unsubscribed', channel: request.channel });
        break;
      case 'publish': {
        const { channel, payload: data } = request;
        if (!this.#grant.mayPublish(checkRoomName(channel)))
          throw new AppError('forbidden', { detail: channel });
        hub.publish(channel, { from: this.name, data, kind: 'client', origin: this.id });
        break;
      }
      case 'ping':
        hub.flush();
        this.#answer({ type: 'pong', timestamp: Date.now() });
        break;
    }
  }
}

/** Nexus channels on `/ws` [WS-1]. @param deps.jwts null: the dialect is off */
export function createNexusDialect(deps: { hub: Hub; jwts: Jwts | null }): Dialect {
  const { hub, jwts } = deps;
  const common: Common = { hub, frames: createFrameCache(encode) };

  return {
    name: 'nexus',
    off: jwts ? undefined : 'JWT_SECRET is not set',
    matches: ({ path }) => path === '/ws',
    async admit(request) {
      const token = requestToken(request);
      if (!token) return { refuse: 'not_authenticated' };
      const grant = await jwts?.verify(token).catch(() => null);
      if (!grant) return { refuse: 'invalid_token', status: 403 };
      return {
        protocol: chooseProtocol(request, 'nexus'),
        open: (connection) => new NexusSession(common, connection, grant),
      };
    },
  };
}
