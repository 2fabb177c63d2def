import { z } from 'zod';

/** The Nexus channel protocol on `/ws` [WS-1]: what clients send, and what the server answers. */

/** Fields that one subscription may filter by. */
export const FILTER_FIELDS_MAX = 16;

/** A path into `data` (dots reach into objects) and the value that must stand there. */
export const filtersSchema = z
  .record(z.string().min(1).max(256), z.unknown())
  .refine((filters) => Object.keys(filters).length <= FILTER_FIELDS_MAX, { error: 'too many fields' });

const channel = z.string();

export const nexusRequestSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('subscribe'), channel, filters: filtersSchema.nullish() }),
  z.object({ action: z.literal('unsubscribe'), channel }),
  z.object({ action: z.literal('publish'), channel, payload: z.unknown().optional() }),
  z.object({ action: z.literal('ping') }),
]);
export type NexusRequest = z.input<typeof nexusRequestSchema>;
export const NEXUS_ACTIONS: readonly string[] = ['subscribe', 'unsubscribe', 'publish', 'ping'];

export type NexusAnswer =
  | { type: 'connected'; message: string; userId: string }
  | { type: 'subscribed'; channel: string; filters?: Record<string, unknown> | null }
  | { type: 'unsubscribed'; channel: string }
  /** Published by a client; `timestamp` is ISO 8601 UTC. */
  | { type: 'message'; channel: string; from: string; data: unknown; timestamp: string; id: string }
  /** Published over HTTP or by the server. */
  | { type: 'broadcast'; channel: string; data: unknown; timestamp: string; id: string }
  /** `timestamp` is epoch ms. */
  | { type: 'pong'; timestamp: number }
  | { type: 'error'; message: string; code: string; channel?: string };
