import { z } from 'zod';
import type { ErrorPayload } from './errors.ts';
import type { PackedBatch } from './log-batch.ts';
import { type LogEntry, levelSchema } from './log-entry.ts';
import type { StatusTransition, UnitStatus } from './node-status.ts';

/**
 * The Socket.IO events, both directions: schemas for what clients send (the server validates with them), types for what
 * it answers. The typed maps at the end are the list of events; nothing else names them twice.
 */

/** Longest token accepted anywhere, in characters. */
export const MAX_TOKEN = 4096;
/** Longest `after`/`before` position, in characters. */
export const MAX_POSITION = 512;
/** Longest `grep` pattern, in characters. */
export const MAX_PATTERN = 1000;

const service = z.string().max(255);
const position = z.string().min(1).max(MAX_POSITION);
/** The instants that `instantSchema` takes: from the epoch, as journalctl does, to where microseconds stop being exact numbers. */
const INSTANT_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
const INSTANT_ERROR = 'must be ISO 8601 with a zone, or epoch milliseconds, from 1970 to 2255';
const epochMs = z.number().int().nonnegative().max(INSTANT_MAX);
/** ISO 8601 with zone, or epoch milliseconds. */
export const instantSchema = z.union(
  [z.iso.datetime({ offset: true }).refine((text) => epochMs.safeParse(Date.parse(text)).success), epochMs],
  { error: INSTANT_ERROR },
);

/** Lines a subscriber may ask for at the start [SIO-2]; 50 unless told. */
export const TAIL_DEFAULT = 50;
export const TAIL_MAX = 5000;

export const subscribeLogsSchema = z.object({
  service,
  /** Resume behind this id [SIO-4]. */
  after: position.nullish(),
  /** Lines before the live ones, where `after` is not given; 50. */
  tail: z.number().int().min(0).max(TAIL_MAX).nullish(),
  /** True: `log_batch` frames instead of one `log_data` a line. */
  batch: z.boolean().nullish(),
  /** Only entries of this level and above; entries without a level always pass. */
  level: levelSchema.nullish(),
  /** RE2 pattern on the raw line. */
  grep: z.string().max(MAX_PATTERN).nullish(),
});
export type SubscribeLogs = z.input<typeof subscribeLogsSchema>;

export const unsubscribeLogsSchema = z.object({ service });
export type UnsubscribeLogs = z.input<typeof unsubscribeLogsSchema>;

/** Page size of `log_history` [SIO-5]. */
export const HISTORY_DEFAULT = 200;
export const HISTORY_MAX = 1000;

export const logHistorySchema = z.object({
  service,
  before: position.nullish(),
  after: position.nullish(),
  since: instantSchema.nullish(),
  until: instantSchema.nullish(),
  limit: z.number().int().min(1).max(HISTORY_MAX).nullish(),
  level: levelSchema.nullish(),
  grep: z.string().max(MAX_PATTERN).nullish(),
});
export type LogHistory = z.input<typeof logHistorySchema>;

/** Poll interval of `subscribe_status` in ms [SIO-6]; values outside the bounds are brought to the nearest bound. */
export const STATUS_INTERVAL_DEFAULT = 5000;
export const STATUS_INTERVAL_MIN = 1000;
export const STATUS_INTERVAL_MAX = 300_000;

export const subscribeStatusSchema = z.object({ interval: z.number().finite().nullish() });
export type SubscribeStatus = z.input<typeof subscribeStatusSchema>;

/** Rooms [SIO-10]: the same ones that the plain WebSocket dialects use. */
const room = z.string();

export const joinRoomSchema = z.object({
  room,
  /** A room token (WS-2) or a JWT (WS-1); not needed again for rooms that an earlier one opens. */
  token: z.string().min(1).max(MAX_TOKEN).nullish(),
  /** Resume behind this message id, in rooms that keep a history. */
  after: z.string().min(1).max(MAX_POSITION).nullish(),
});
export type JoinRoom = z.input<typeof joinRoomSchema>;

export const leaveRoomSchema = z.object({ room });
export type LeaveRoom = z.input<typeof leaveRoomSchema>;

export const publishRoomSchema = z.object({ room, data: z.unknown() });
export type PublishRoom = z.input<typeof publishRoomSchema>;

export const roomPresenceSchema = z.object({ room });
export type RoomPresenceRequest = z.input<typeof roomPresenceSchema>;

export interface RoomMessage {
  room: string;
  from: string;
  data: unknown;
  /** ISO 8601 UTC, ms. */
  timestamp: string;
  id: string;
}

export interface RoomPresence {
  room: string;
  /** Members on all instances. */
  count: number;
  /** Names of members; of large rooms not all. */
  who: string[];
}

export interface Authenticated {
  host: string;
  username: string;
  /** ISO 8601 UTC. */
  expiresAt: string;
}

export interface LogData extends LogEntry {
  service: string;
}

/** Entries of one frame. What all entries share stands here, and not in the entries; `unpackEntry` fills them in. */
export interface LogBatch extends PackedBatch {
  service: string;
}

/** Why lines between two positions cannot be delivered [SIO-4]. */
export const GAP_REASONS = ['journal_vacuumed', 'journal_replaced', 'clock_changed', 'slow_reader'] as const;

export interface LogGap {
  service: string;
  /** The last id before the gap; null where none is known. */
  from: string | null;
  /** The first id after it; null where no line follows yet. */
  to: string | null;
  reason: (typeof GAP_REASONS)[number];
}

export interface Failure {
  ok: false;
  error: ErrorPayload;
}
export type SubscribeAck = { ok: true; recovered: boolean } | Failure;
/**
 * A page of history, oldest first. `next` comes with a filter and `hasMore`: the last line looked at, which is the
 * `before` (or `after`) of the next page; a page in which nothing matched has no line of its own to go on from. `gap` comes
 * with an `after` whose line the journal does not hold any more: what stood between it and the page is not known.
 */
export type HistoryAck =
  | { ok: true; entries: LogEntry[]; hasMore: boolean; next?: string; gap?: LogGap['reason'] }
  | Failure;
export type JoinAck = { ok: true; recovered?: boolean } | Failure;
export type PresenceAck = ({ ok: true } & RoomPresence) | Failure;
export type PlainAck = { ok: true } | Failure;

export type SessionEndReason = 'logout' | 'expired' | 'revoked';

export interface ServerToClientEvents {
  authenticated: (payload: Authenticated) => void;
  log_data: (payload: LogData) => void;
  log_batch: (payload: LogBatch) => void;
  log_gap: (payload: LogGap) => void;
  status_update: (statuses: UnitStatus[]) => void;
  status_transition: (transition: StatusTransition) => void;
  room_message: (message: RoomMessage) => void;
  room_presence: (presence: RoomPresence) => void;
  error: (payload: ErrorPayload) => void;
  session_ended: (payload: { reason: SessionEndReason }) => void;
  server_draining: (payload: { reconnectInMs: number }) => void;
}

export interface ClientToServerEvents {
  authenticate: (token: string, ack?: (ok: boolean) => void) => void;
  subscribe_logs: (request: SubscribeLogs, ack?: (answer: SubscribeAck) => void) => void;
  unsubscribe_logs: (request: UnsubscribeLogs, ack?: (answer: PlainAck) => void) => void;
  log_history: (request: LogHistory, ack: (answer: HistoryAck) => void) => void;
  subscribe_status: (request?: SubscribeStatus, ack?: (answer: PlainAck) => void) => void;
  unsubscribe_status: (ack?: (answer: PlainAck) => void) => void;
  join_room: (request: JoinRoom, ack?: (answer: JoinAck) => void) => void;
  leave_room: (request: LeaveRoom, ack?: (answer: PlainAck) => void) => void;
  publish_room: (request: PublishRoom, ack?: (answer: PlainAck) => void) => void;
  room_presence: (request: RoomPresenceRequest, ack?: (answer: PresenceAck) => void) => void;
}
