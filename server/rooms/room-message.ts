import type { Processed } from './handlers/hooks.ts';
import type { RoomPayload } from './handlers/types.ts';

/** What of a message goes to the hub. */
export interface Outgoing {
  /** What members get as `content`. */
  data: unknown;
  /** Fields that the frame of Echo members has beside it. */
  extra: Record<string, unknown> | undefined;
}

/** Fields of a frame that nobody but the server writes, and those that only say how to deliver it. */
const OWN = new Set(['type', 'content', 'from', 'timestamp', 'id', 'delay', 'nonce']);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Takes a message apart that has passed its room's handler. The payload is its `content`; without one it is the whole
 * push, or what a client sent beside `type` and `metadata`. `metadata` travels with it, and so does what the handler
 * added; of the sender's own fields nothing else does. A type that the handler set replaces the room's.
 */
export function splitPayload(
  original: RoomPayload,
  { payload, replaced }: Processed,
  source: 'client' | 'server',
): Outgoing {
  if (!Object.hasOwn(payload, 'content')) {
    if (source === 'server') {
      const { nonce: _nonce, ...data } = payload;
      return { data, extra: undefined };
    }
    const { type: _type, metadata, ...data } = payload;
    return { data, extra: isRecord(metadata) ? { metadata } : undefined };
  }
  const kept = Object.entries(payload).filter(([key, value]) =>
    replaced ? !OWN.has(key) && value !== undefined : key === 'metadata' && isRecord(value),
  );
  if (replaced && typeof payload.type === 'string' && payload.type !== original.type) {
    kept.push(['type', payload.type]);
  }
  return { data: payload.content, extra: kept.length > 0 ? Object.fromEntries(kept) : undefined };
}
