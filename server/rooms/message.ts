import { AppError } from '../core/errors.ts';
import { isDeeperThan, JSON_DEPTH_MAX } from '../core/json.ts';
import type { HubMessage, WireMessage } from './types.ts';

/** The message of a wire form; its data is parsed only where somebody looks at it. */
export function createMessage(wire: WireMessage): HubMessage {
  let parsed: { data: unknown } | undefined;
  return {
    room: wire.room,
    from: wire.from,
    json: wire.json,
    timestamp: wire.timestamp,
    id: wire.id,
    kind: wire.kind,
    origin: wire.origin,
    extra: wire.extra,
    get data() {
      parsed ??= { data: JSON.parse(wire.json) };
      return parsed.data;
    },
  };
}

/**
 * The JSON text of a payload; nothing at all becomes null.
 * @param maxBytes largest text in UTF-8
 * @throws AppError invalid_request (cannot be JSON, nested too deeply), payload_too_large
 */
export function encodeData(data: unknown, maxBytes: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch {
    throw new AppError('invalid_request', { detail: 'data: not JSON' });
  }
  json ??= 'null';
  if (Buffer.byteLength(json) > maxBytes) throw new AppError('payload_too_large');
  if (isDeeperThan(json, JSON_DEPTH_MAX))
    throw new AppError('invalid_request', { detail: 'data: nested too deeply' });
  return json;
}
