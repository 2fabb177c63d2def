import { AppError } from '../core/errors.ts';

/** Longest name, in characters: room names stand in URLs, tokens and Redis keys. */
export const ROOM_NAME_MAX = 200;
/** Neither control characters nor halves of surrogate pairs; at least one character that is not blank. */
const NAME = /^(?=.*\S)[^\p{Cc}\p{Cs}]+$/u;

export function isRoomName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= ROOM_NAME_MAX && NAME.test(value);
}

/** @throws AppError invalid_room */
export function checkRoomName(value: unknown): string {
  if (!isRoomName(value)) throw new AppError('invalid_room');
  return value;
}

/** Names that only the server publishes under [WS-4]. */
export function isReserved(room: string): boolean {
  return room === 'system' || room.startsWith('system.');
}
