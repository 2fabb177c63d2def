import { ERRORS, type ErrorCode, type ErrorPayload } from '../shared/errors.ts';

/** Failures that never reach the server, so that its table has no row for them. */
const LOCAL_ERRORS = {
  network: {
    message: 'The gateway cannot be reached.',
    retryable: true,
    hint: 'Check the network. The connection is tried again by itself.',
  },
  timeout: {
    message: 'The gateway did not answer in time.',
    retryable: true,
    hint: 'Try again in a moment.',
  },
  not_connected: {
    message: 'There is no open connection.',
    retryable: true,
    hint: 'Wait until the connection is open, then try again.',
  },
  bad_answer: {
    message: 'The gateway gave an answer that makes no sense here.',
    retryable: false,
    hint: 'Check that the address is that of a Tailwire gateway.',
  },
} as const satisfies Record<string, { message: string; retryable: boolean; hint: string }>;

export type LocalErrorCode = keyof typeof LOCAL_ERRORS;

/** Every error of the client is such a value: what to show, what to do, and whether trying again can help. */
export interface GatewayError {
  readonly code: ErrorCode | LocalErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly service?: string;
}

/** The same as something to throw; the HTTP helpers do. */
export class GatewayRequestError extends Error implements GatewayError {
  override readonly name = 'GatewayRequestError';
  readonly code: GatewayError['code'];
  readonly hint: string;
  readonly retryable: boolean;
  /** HTTP status, where there was an answer. */
  readonly status: number | null;

  constructor(error: GatewayError, status: number | null = null) {
    super(error.message);
    this.code = error.code;
    this.hint = error.hint;
    this.retryable = error.retryable;
    this.status = status;
  }
}

/** An error of the client itself. */
export function localError(code: LocalErrorCode, message?: string): GatewayError {
  const row = LOCAL_ERRORS[code];
  return { code, message: message ?? row.message, hint: row.hint, retryable: row.retryable };
}

/** Codes that say: this session is over or was never there. Only a new login helps. */
const SESSION_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'invalid_session',
  'session_refused',
  'session_expired',
]);

/** Whether only a new login can help. */
export function isSessionError(error: GatewayError): boolean {
  return SESSION_CODES.has(error.code);
}

/**
 * Reads whatever a server sent as an error: the payload of an `error` event or ack, the body of an HTTP error, a
 * `connect_error` whose `data` is such a payload, or only a message. A message without a code is looked up in the table
 * of errors, because gateways that know no codes send exactly these texts.
 *
 * @param fallback the code where nothing is known: the transport failed
 */
export function readError(input: unknown, fallback: ErrorCode | LocalErrorCode = 'network'): GatewayError {
  const payload = asRecord(asRecord(input)?.data) ?? asRecord(input);
  const message = typeof payload?.message === 'string' ? payload.message : asRecord(input)?.message;
  const code = typeof payload?.code === 'string' ? payload.code : codeOfMessage(message);
  const row = code !== undefined && isErrorCode(code) ? ERRORS[code] : undefined;
  if (row === undefined || code === undefined || !isErrorCode(code)) {
    return isErrorCode(fallback) ? { code: fallback, ...pick(ERRORS[fallback]) } : localError(fallback);
  }
  return {
    code,
    message: typeof message === 'string' && message !== '' ? message : row.message,
    hint: typeof payload?.hint === 'string' ? payload.hint : row.hint,
    retryable: typeof payload?.retryable === 'boolean' ? payload.retryable : row.retryable,
    ...(typeof payload?.service === 'string' ? { service: payload.service } : {}),
  };
}

function pick(row: Pick<ErrorPayload, 'message' | 'hint' | 'retryable'>) {
  return { message: row.message, hint: row.hint, retryable: row.retryable };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function codeOfMessage(message: unknown): string | undefined {
  if (typeof message !== 'string') return undefined;
  return Object.entries(ERRORS).find(([, row]) => row.message === message)?.[0];
}

function asRecord(input: unknown): Record<string, unknown> | undefined {
  return typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : undefined;
}
