import { ERRORS, type ErrorCode, type ErrorPayload, errorPayload } from '../../shared/errors.ts';

/**
 * An error a client may see: a code of the table in `shared/errors.ts`, optionally with a detail that is safe to show.
 * `cause` is for the log only and never leaves the process.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  /** How long to wait before the same request may succeed, in ms; becomes Retry-After over HTTP. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, options: { detail?: string; cause?: unknown; retryAfterMs?: number } = {}) {
    super(
      options.detail ? `${ERRORS[code].message} (${options.detail})` : ERRORS[code].message,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** What the client gets. */
  toPayload(service?: string): ErrorPayload {
    return errorPayload(this.code, {
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      ...(service === undefined ? {} : { service }),
    });
  }
}

/** Turns anything thrown into an AppError; what is not one already becomes `internal`, with the original as cause. */
export function toAppError(error: unknown, fallback: ErrorCode = 'internal'): AppError {
  return error instanceof AppError ? error : new AppError(fallback, { cause: error });
}

/** A setting whose fault shows only when it is used [ENV-1]. The message begins with the variable and holds no secret. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}
