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

/** Nexus channels on `/ws` [WS-1]. @param deps.jwts null: the dialect is off */
export function createNexusDialect(deps: { hub: Hub; jwts: Jwts | null }): Dialect {
  const { hub, jwts } = deps;
  const frames = createFrameCache(encode);

  function open(connection: Connection, grant: Grant): DialectSession {
    const subscriptions = new Map<string, Filters[]>();
    let filterChars = 0;
    const answer = (message: NexusAnswer) => connection.send(JSON.stringify(message));
    const member: Member = {
      id: connection.id,
      name: grant.from,
      echo: true,
      receive: (messages) => connection.sendFrames(frames(messages)),
    };

    function subscribe(channel: string, filters: Filters): void {
      if (!grant.mayJoin(checkRoomName(channel))) throw new AppError('forbidden', { detail: channel });
      const held = subscriptions.get(channel) ?? [];
      const known = held.some((one) => isDeepStrictEqual(one ?? {}, filters ?? {}));
      const chars = known ? filterChars : filterChars + sizeOf(filters);
      const isFull = held.length >= SUBSCRIPTIONS_PER_CHANNEL || chars > FILTERS_MAX_CHARS;
      if (!known && isFull) throw new AppError('too_many_streams');
      const all = known ? held : [...held, filters];
      hub.join(channel, member, { filter: anyFilter(all.map(compileFilter)) });
      subscriptions.set(channel, all);
      filterChars = chars;
      answer({ type: 'subscribed', channel, ...(filters === undefined ? {} : { filters }) });
    }

    /** @param raw the request as it was parsed: a schema leaves fields like `__proto__` out, and a filter has to filter */
    function handle(request: NexusRequest, raw: { filters?: Filters }): void {
      switch (request.action) {
        case 'subscribe':
          subscribe(request.channel, raw.filters);
          break;
        case 'unsubscribe':
          for (const filters of subscriptions.get(request.channel) ?? []) filterChars -= sizeOf(filters);
          subscriptions.delete(request.channel);
          hub.leave(request.channel, member);
          answer({ type: 'unsubscribed', channel: request.channel });
          break;
        case 'publish': {
          const { channel, payload: data } = request;
          if (!grant.mayPublish(checkRoomName(channel))) throw new AppError('forbidden', { detail: channel });
          hub.publish(channel, { from: grant.from, data, kind: 'client', origin: member.id });
          break;
        }
        case 'ping':
          hub.flush();
          answer({ type: 'pong', timestamp: Date.now() });
          break;
      }
    }

    answer({ type: 'connected', message: 'Welcome to Nexus WebSocket', userId: grant.from });
    connection.expireAt(grant.expiresAt);

    return {
      message(data) {
        const request = parseJson(data.toString());
        const parsed = nexusRequestSchema.safeParse(request);
        if (parsed.success) return handle(parsed.data, request as { filters?: Filters });
        const action = (request as { action?: unknown } | null)?.action;
        if (typeof action !== 'string' || !NEXUS_ACTIONS.includes(action)) {
          const shown = typeof action === 'string' ? action : JSON.stringify(action);
          return answer({
            type: 'error',
            message: `Unknown action: ${String(shown).slice(0, ACTION_SHOWN)}`,
            code: 'unknown_event',
          });
        }
        const [issue] = parsed.error.issues;
        throw new AppError('invalid_request', { detail: `${issue?.path.join('.')}: ${issue?.message}` });
      },
      fail: (error) => answer({ type: 'error', message: error.toPayload().message, code: error.code }),
      close: () => hub.leaveAll(member),
    };
  }

  return {
    name: 'nexus',
    off: jwts ? undefined : 'JWT_SECRET is not set',
    matches: ({ path }) => path === '/ws',
    async admit(request) {
      const token = requestToken(request);
      if (!token) return { refuse: 'not_authenticated' };
      const grant = await jwts?.verify(token).catch(() => null);
      if (!grant) return { refuse: 'invalid_token', status: 403 };
      return { protocol: chooseProtocol(request, 'nexus'), open: (connection) => open(connection, grant) };
    },
  };
}
