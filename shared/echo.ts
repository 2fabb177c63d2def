import { z } from 'zod';

/** The Echo room protocol on `/:room` and `/rooms/:room` [WS-2]: what clients and HTTP senders send, and what comes back. */

/** What a client sends: any JSON object. What is not named here a room handler may look at. */
export const echoMessageSchema = z.looseObject({
  /** `message` unless told; `keepalive` and `ack` are acknowledged and go no further. */
  type: z.string().max(64).nullish(),
  /** The payload that the room gets; without it everything beside `type` and `metadata` is the payload. */
  content: z.unknown().optional(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type EchoMessage = z.input<typeof echoMessageSchema>;

/** Types that are acknowledged to their sender instead of going to the room. */
export const ECHO_SUPPRESSED: readonly string[] = ['keepalive', 'ack'];

/** Longest life of a room token in seconds, and what it is unless told. */
export const ROOM_TOKEN_MAX_S = 30 * 86_400;
export const ROOM_TOKEN_DEFAULT_S = 3600;

/** `POST /auth/token`. */
export const roomTokenSchema = z.object({
  clientId: z.string().min(1).max(256),
  room: z.string(),
  /** Seconds. */
  expiresIn: z.number().int().min(1).max(ROOM_TOKEN_MAX_S).default(ROOM_TOKEN_DEFAULT_S).nullable(),
  /** `control`: opens the room's control channel and nothing else. */
  scope: z.literal('control').nullish(),
  /** Handed to the room's handler. */
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type RoomTokenRequest = z.input<typeof roomTokenSchema>;

export interface RoomTokenAnswer {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

/** Answer to a push over HTTP. */
export interface RoomPostAnswer {
  success: true;
  /** Members of the room on all instances; control clients do not count. */
  clientCount: number;
  /** The room delivers it after so many ms. */
  delayMs?: number;
  /** The same push came before, by its `Idempotency-Key` or `nonce`; this one was not delivered. */
  duplicate?: true;
}

/** What the server sends. Handlers may add fields and use types of their own; `radio` says `radio-content` for `message`. */
export type EchoAnswer =
  | { type: 'welcome'; message: string; room: string; clientId: string; time: string }
  /** `timestamp` is epoch seconds. */
  | {
      type: 'message' | 'radio-content';
      content: unknown;
      from: string;
      timestamp: number;
      id: string;
      metadata?: Record<string, unknown>;
    }
  /** `receivedAt` is ISO 8601 UTC. */
  | { type: 'ack'; ackType: string; receivedAt: string }
  | { type: 'control-welcome'; message: string; room: string; time: string }
  /** On the control channel: that a message went through, without its content. `size` is its length as JSON. */
  | {
      type: 'control';
      event: 'message';
      room: string;
      from: string;
      timestamp: number;
      id: string;
      size: number;
    }
  /** `code` is of the error table, or what the room's handler says. */
  | { type: 'error'; error: string; code: string | number };
