import { z } from 'zod';
import { ERRORS, type ErrorCode, type ErrorPayload } from '../../../shared/errors.ts';
import {
  type Authenticated,
  type ClientToServerEvents,
  GAP_REASONS,
  type HistoryAck,
  type JoinAck,
  joinRoomSchema,
  type LogBatch,
  type LogData,
  type LogGap,
  leaveRoomSchema,
  logHistorySchema,
  MAX_TOKEN,
  type PlainAck,
  type PresenceAck,
  publishRoomSchema,
  type RoomMessage,
  type RoomPresence,
  roomPresenceSchema,
  type ServerToClientEvents,
  type SubscribeAck,
  subscribeLogsSchema,
  subscribeStatusSchema,
  unsubscribeLogsSchema,
} from '../../../shared/events.ts';
import { logEntrySchema } from '../../../shared/log-entry.ts';
import { statusTransitionSchema, unitStatusSchema } from '../../../shared/node-status.ts';

/**
 * The Socket.IO events as schemas, for the document about them. The maps have one row for each event of the typed maps in
 * `shared/events.ts`, and each row has to fit the type there: the compiler sees to both.
 */

const codes = Object.keys(ERRORS) as ErrorCode[];

const errorPayload: z.ZodType<ErrorPayload> = z.object({
  message: z.string(),
  code: z.enum(codes),
  retryable: z.boolean(),
  hint: z.string(),
  service: z.string().exactOptional(),
});

const authenticated: z.ZodType<Authenticated> = z.object({
  host: z.string(),
  username: z.string(),
  expiresAt: z.iso.datetime(),
});

const logData: z.ZodType<LogData> = logEntrySchema.extend({ service: z.string() });

const packedEntry = logEntrySchema.extend({
  us: z.number().int().exactOptional().meta({ description: "Microseconds from the batch's time." }),
  cut: z.string().exactOptional().meta({ description: 'Where message and fields stand in the line.' }),
});
const logBatch: z.ZodType<LogBatch> = z.object({
  service: z.string(),
  pid: z.number().exactOptional(),
  identifier: z.string().exactOptional(),
  time: z.string().exactOptional(),
  entries: z.array(packedEntry),
});

const logGap: z.ZodType<LogGap> = z.object({
  service: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  reason: z.enum(GAP_REASONS),
});

const roomMessage: z.ZodType<RoomMessage> = z.object({
  room: z.string(),
  from: z.string(),
  data: z.unknown(),
  timestamp: z.iso.datetime(),
  id: z.string(),
});

const presence = z.object({ room: z.string(), count: z.number().int(), who: z.array(z.string()) });
const roomPresence: z.ZodType<RoomPresence> = presence;

const failure = z.object({ ok: z.literal(false), error: errorPayload });
const ok = z.object({ ok: z.literal(true) });
const plainAck: z.ZodType<PlainAck> = z.union([ok, failure]);
const subscribeAck: z.ZodType<SubscribeAck> = z.union([ok.extend({ recovered: z.boolean() }), failure]);
const joinAck: z.ZodType<JoinAck> = z.union([ok.extend({ recovered: z.boolean().exactOptional() }), failure]);
const historyAck: z.ZodType<HistoryAck> = z.union([
  ok.extend({
    entries: z.array(logEntrySchema),
    hasMore: z.boolean(),
    next: z.string().exactOptional(),
    gap: z.enum(GAP_REASONS).exactOptional(),
  }),
  failure,
]);
const presenceAck: z.ZodType<PresenceAck> = z.union([ok.extend(presence.shape), failure]);

/** An event that clients send. */
export interface ClientEvent {
  summary: string;
  /** Its one argument; null: none. */
  request: z.ZodType | null;
  ack: z.ZodType;
}

export const CLIENT_EVENTS: Record<keyof ClientToServerEvents, ClientEvent> = {
  authenticate: {
    summary: 'Shows a session token [SIO-1].',
    request: z.string().max(MAX_TOKEN),
    ack: z.boolean(),
  },
  subscribe_logs: {
    summary: 'Lines of a unit, then each new one [SIO-2].',
    request: subscribeLogsSchema,
    ack: subscribeAck,
  },
  unsubscribe_logs: { summary: 'Ends it [SIO-2].', request: unsubscribeLogsSchema, ack: plainAck },
  log_history: {
    summary: 'A page of older or newer lines [SIO-5].',
    request: logHistorySchema,
    ack: historyAck,
  },
  subscribe_status: {
    summary: 'The status of all units, and every change [SIO-6].',
    request: subscribeStatusSchema,
    ack: plainAck,
  },
  unsubscribe_status: { summary: 'Ends it [SIO-6].', request: null, ack: plainAck },
  join_room: { summary: 'Enters a room [SIO-10].', request: joinRoomSchema, ack: joinAck },
  leave_room: { summary: 'Leaves it [SIO-10].', request: leaveRoomSchema, ack: plainAck },
  publish_room: { summary: 'Sends to its members [SIO-10].', request: publishRoomSchema, ack: plainAck },
  room_presence: { summary: 'Asks who is there [SIO-10].', request: roomPresenceSchema, ack: presenceAck },
};

type Payload<E extends keyof ServerToClientEvents> = Parameters<ServerToClientEvents[E]>[0];

export const SERVER_EVENTS: {
  [E in keyof ServerToClientEvents]: { summary: string; payload: z.ZodType<Payload<E>> };
} = {
  authenticated: { summary: 'The token is good [SIO-1].', payload: authenticated },
  log_data: { summary: 'One line [SIO-3].', payload: logData },
  log_batch: { summary: 'Lines, for subscribers with `batch` [SIO-3].', payload: logBatch },
  log_gap: { summary: 'Lines that cannot be delivered [SIO-4].', payload: logGap },
  status_update: { summary: 'All units [SIO-6].', payload: z.array(unitStatusSchema) },
  status_transition: { summary: 'What changed, and why [SIO-6].', payload: statusTransitionSchema },
  room_message: { summary: 'A message of a room [SIO-10].', payload: roomMessage },
  room_presence: { summary: 'Who is there [SIO-10].', payload: roomPresence },
  error: { summary: 'What went wrong [SIO-7].', payload: errorPayload },
  session_ended: {
    summary: 'The session is over; the connection closes [SIO-8].',
    payload: z.object({ reason: z.enum(['logout', 'expired', 'revoked']) }),
  },
  server_draining: {
    summary: 'The server stops; connect again after the delay [RUN-5].',
    payload: z.object({ reconnectInMs: z.number() }),
  },
};
