import { AppError } from '../core/errors.ts';

/**
 * Answers of a Redis that works but cannot serve right now: loading, being failed over, out of memory or disk, busy
 * with a script, or not (or no longer) accepting our credentials. https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
const UNAVAILABLE =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|BUSY|UNKILLABLE|NOAUTH|WRONGPASS|NOPERM|UNBLOCKED|ERR max number of clients)\b/;

/** What may be logged of an error: ioredis hangs the command with its arguments, AUTH included, on the error object. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Turns what a Redis command threw into `store_unavailable` where the cause is the connection or the server's state.
 * Anything else (a script's mistake, a wrong type, a programming error) stays what it is, as these must not hide behind "try again".
 */
export function toStoreError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) return error;
  const text = errorText(error);
  const isReply = error instanceof Error && error.name === 'ReplyError';
  if (isReply && !UNAVAILABLE.test(text)) return new Error(`Redis refused a command: ${text}`);
  return new AppError('store_unavailable', { cause: new Error(text) });
}
