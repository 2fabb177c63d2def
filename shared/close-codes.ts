/**
 * Every WebSocket close code Tailwire sends, with the reason text and whether a client should come back by itself.
 * RFC 6455 section 7.4 for 1000-1015; 4000-4005 are those of the Echo rooms document; 44xx are ours, close to the HTTP
 * status of the same meaning.
 */
export const CLOSE_CODES = {
  normal: { code: 1000, reason: 'Bye', mayReconnect: false },
  going_away: { code: 1001, reason: 'Server is restarting', mayReconnect: true },
  protocol_error: { code: 1002, reason: 'Protocol error', mayReconnect: false },
  unsupported_data: { code: 1003, reason: 'Unsupported data', mayReconnect: false },
  invalid_payload: { code: 1007, reason: 'Invalid UTF-8', mayReconnect: false },
  policy_violation: { code: 1008, reason: 'Policy violation', mayReconnect: false },
  too_big: { code: 1009, reason: 'Message too big', mayReconnect: false },
  internal: { code: 1011, reason: 'Internal error', mayReconnect: true },
  idle: { code: 4000, reason: 'Idle timeout', mayReconnect: true },
  no_token: { code: 4001, reason: 'Token required', mayReconnect: false },
  invalid_token: { code: 4002, reason: 'Token invalid or expired', mayReconnect: false },
  origin_not_allowed: { code: 4003, reason: 'Origin not allowed', mayReconnect: false },
  wrong_room: { code: 4004, reason: 'Not allowed in this room', mayReconnect: false },
  no_room: { code: 4005, reason: 'No room given', mayReconnect: false },
  token_expired: { code: 4401, reason: 'Token expired', mayReconnect: false },
  slow: { code: 4408, reason: 'Reading too slowly', mayReconnect: true },
  rate_limited: { code: 4429, reason: 'Too many messages', mayReconnect: true },
} as const;

export type CloseName = keyof typeof CLOSE_CODES;
