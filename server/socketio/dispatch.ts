import { z } from 'zod';
import { errorPayload } from '../../shared/errors.ts';
import {
  type ClientToServerEvents,
  joinRoomSchema,
  leaveRoomSchema,
  logHistorySchema,
  publishRoomSchema,
  roomPresenceSchema,
  subscribeLogsSchema,
  subscribeStatusSchema,
  unsubscribeLogsSchema,
} from '../../shared/events.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import type { Connection } from './connection.ts';
import { authenticate } from './handlers/authenticate.ts';
import { joinRoom } from './handlers/join-room.ts';
import { leaveRoom } from './handlers/leave-room.ts';
import { logHistory } from './handlers/log-history.ts';
import { publishRoom } from './handlers/publish-room.ts';
import { roomPresence } from './handlers/room-presence.ts';
import { subscribeLogs } from './handlers/subscribe-logs.ts';
import { subscribeStatus } from './handlers/subscribe-status.ts';
import type { Handler, HandlerDeps } from './handlers/types.ts';
import { unsubscribeLogs } from './handlers/unsubscribe-logs.ts';
import { unsubscribeStatus } from './handlers/unsubscribe-status.ts';
import { MALFORMED } from './parser.ts';

interface Route {
  parse(payload: unknown): unknown;
  handler: Handler<never>;
}

/** Pairs a schema with its handler: what the handler gets is what the schema makes. */
function route<S extends z.ZodType>(schema: S, handler: Handler<z.output<S>>): Route {
  return {
    parse(payload) {
      const result = schema.safeParse(payload);
      if (result.success) return result.data;
      const [issue] = result.error.issues;
      const where = issue?.path.join('.');
      throw new AppError('invalid_request', {
        detail: `${where ? `${where}: ` : ''}${issue?.message ?? 'wrong type'}`,
      });
    },
    handler,
  };
}

/** Events with a payload and an ack of the form `{ok, ...}`. `authenticate` has its own, older form. */
const ROUTES: Record<Exclude<keyof ClientToServerEvents, 'authenticate'>, Route> = {
  subscribe_logs: route(subscribeLogsSchema, subscribeLogs),
  unsubscribe_logs: route(unsubscribeLogsSchema, unsubscribeLogs),
  log_history: route(logHistorySchema, logHistory),
  subscribe_status: route(
    z.preprocess((value) => value ?? {}, subscribeStatusSchema),
    subscribeStatus,
  ),
  unsubscribe_status: route(
    z.unknown().transform(() => undefined),
    unsubscribeStatus,
  ),
  join_room: route(joinRoomSchema, joinRoom),
  leave_room: route(leaveRoomSchema, leaveRoom),
  publish_room: route(publishRoomSchema, publishRoom),
  room_presence: route(roomPresenceSchema, roomPresence),
};

type Ack = (answer: unknown) => void;

/** The service a payload speaks of, for the error event; only if it is short text. */
function serviceOf(payload: unknown): string | undefined {
  const service = (payload as { service?: unknown } | null | undefined)?.service;
  return typeof service === 'string' && service.length <= 255 ? service : undefined;
}

/** Tells whoever waits for the answer to an event that it was refused. */
export function refuseAck(event: string, args: readonly unknown[], error: AppError): void {
  const ack = args.at(-1);
  if (typeof ack !== 'function') return;
  if (event === 'authenticate') ack(false);
  else {
    const service = serviceOf(args[0]);
    const detail = error.detail ? { detail: error.detail } : {};
    ack({ ok: false, error: errorPayload(error.code, { ...detail, ...(service ? { service } : {}) }) });
  }
}

/**
 * Carries one event of a client to its handler. Nothing a client sends makes this throw: wrong events, wrong types and
 * failing handlers all end in an `error` event, and in the ack where there is one.
 */
export async function dispatch(
  deps: HandlerDeps & { logger: Logger },
  connection: Connection,
  event: string,
  args: readonly unknown[],
): Promise<void> {
  const last = args.at(-1);
  const ack = typeof last === 'function' ? (last as Ack) : null;
  const payload = typeof args[0] === 'function' ? undefined : args[0];
  const service = serviceOf(payload);

  const refuse = (error: AppError) => {
    if (error.code === 'internal') deps.logger.error('event failed', { event, cause: String(error.cause) });
    connection.fail(error, service);
    refuseAck(event, args, error);
  };

  try {
    if (event === MALFORMED) throw new AppError('invalid_request', { detail: 'malformed packet' });
    if (event === 'authenticate') {
      await authenticate(deps, connection, payload);
      ack?.(true);
      return;
    }
    const found = Object.hasOwn(ROUTES, event) ? ROUTES[event as keyof typeof ROUTES] : undefined;
    if (!found) throw new AppError('unknown_event');
    const request = found.parse(payload) as never;
    const answer = await found.handler(deps, connection, request, { wantsAck: ack !== null });
    ack?.({ ok: true, ...answer });
  } catch (error) {
    refuse(toAppError(error));
  }
}
