import { z } from 'zod';

/** The key validation protocol on `/` [WS-3]: what clients send, and what the server answers. */

/** Longest service id, hardware id and key, in characters. */
export const KEY_PART_MAX = 256;

/** Neither control characters nor halves of surrogate pairs: what a service behind it cannot stumble over. */
export const keyPartSchema = z
  .string()
  .min(1)
  .max(KEY_PART_MAX)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not contain control characters');

export const keyRequestSchema = z.discriminatedUnion('type', [
  /** What is left out is taken from the URL that the connection was opened with. */
  z.object({
    type: z.literal('validate'),
    serviceId: keyPartSchema.nullish(),
    hwid: keyPartSchema.nullish(),
    key: keyPartSchema.nullish(),
  }),
  z.object({ type: z.literal('heartbeat') }),
]);
export type KeyRequest = z.input<typeof keyRequestSchema>;
export const KEY_REQUESTS: readonly string[] = ['validate', 'heartbeat'];

export type KeyAnswer =
  | { type: 'welcome'; message: string; clientId: string }
  | {
      type: 'validation_response';
      success: boolean;
      message: 'Authentication successful' | 'Authentication failed';
      /** What the service said, where it is small enough to be passed on; else empty. */
      data: Record<string, unknown>;
      /** Absent on success. `rejected`: the service said no; `unavailable`: it gave no answer that counts, try again later. */
      reason?: 'rejected' | 'unavailable';
    }
  /** `timestamp` is epoch ms. */
  | { type: 'heartbeat_response'; timestamp: number }
  | { type: 'error'; message: string; code: string };
