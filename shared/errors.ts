/**
 * The one table of errors that clients can see [SIO-7] [HTTP-2]. `message` is the text of the original EthPillar gateway
 * where it had one, because its clients compare it; `status` is the HTTP status of the same error; `retryable` says
 * whether the same request may succeed later without a change.
 */
export const ERRORS = {
  not_authenticated: {
    message: 'Not authenticated.',
    status: 401,
    retryable: false,
    hint: 'Send a token first: that of a session in the cookie ssh_session, handshake auth.token or the authenticate event; one for rooms in Authorization: Bearer or, over WebSocket, ?token=.',
  },
  token_mismatch: {
    message: 'Authentication token mismatch.',
    status: 409,
    retryable: false,
    hint: 'This connection belongs to another session. Open a new connection for the other token.',
  },
  invalid_session: {
    message: 'Invalid or expired session',
    status: 401,
    retryable: false,
    hint: 'Log in again to get a new session.',
  },
  session_refused: {
    message: 'Authentication error: Invalid or expired session.',
    status: 401,
    retryable: false,
    hint: 'Log in again to get a new session.',
  },
  session_check_failed: {
    message: 'Authentication error: Server error during validation.',
    status: 503,
    retryable: true,
    hint: 'The session store cannot be reached right now. Try again in a few seconds.',
  },
  session_expired: {
    message: 'No active session login again',
    status: 401,
    retryable: false,
    hint: 'The session has ended. Log in again.',
  },
  auth_timeout: {
    message: 'Authentication timed out.',
    status: 401,
    retryable: true,
    hint: 'Authenticate within the time limit after connecting.',
  },
  too_many_connections: {
    message: 'Too many connections without a token.',
    status: 429,
    retryable: true,
    hint: 'Send the session token with the handshake, or at once after connecting.',
  },
  invalid_service: {
    message: 'Unknown or not allowed service.',
    status: 400,
    retryable: false,
    hint: 'Use a unit name from ALLOWED_UNITS, for example execution or consensus.',
  },
  invalid_position: {
    message: 'The resume position is not valid for this stream.',
    status: 400,
    retryable: false,
    hint: 'Use an id that this service delivered on this host, or leave "after" out to start with the newest lines.',
  },
  invalid_pattern: {
    message: 'The search pattern is not valid.',
    status: 400,
    retryable: false,
    hint: 'Use RE2 syntax: no back-references and no look-around, at most 1000 characters.',
  },
  invalid_request: {
    message: 'The request is malformed.',
    status: 400,
    retryable: false,
    hint: 'Check the names and types of the fields against the protocol description.',
  },
  invalid_json: {
    message: 'Invalid JSON format',
    status: 400,
    retryable: false,
    hint: 'Send one JSON value, nested at most 64 levels deep.',
  },
  invalid_token: {
    message: 'Invalid or expired token.',
    status: 401,
    retryable: false,
    hint: 'Get a new token and connect again.',
  },
  invalid_room: {
    message: 'Invalid room or channel name.',
    status: 400,
    retryable: false,
    hint: 'A name has 1 to 200 characters and no control characters.',
  },
  too_many_rooms: {
    message: 'Too many rooms.',
    status: 429,
    retryable: false,
    hint: 'Leave rooms that are no longer needed.',
  },
  room_full: {
    message: 'The room is full.',
    status: 429,
    retryable: true,
    hint: 'Try again later.',
  },
  unknown_event: {
    message: 'Unknown event.',
    status: 400,
    retryable: false,
    hint: 'See the protocol description for the events a client may send.',
  },
  no_subscriber: {
    message: 'Nobody takes requests on this topic.',
    status: 404,
    retryable: true,
    hint: 'A subscriber with action request or both has to be connected.',
  },
  request_timeout: {
    message: 'The request was not answered in time.',
    status: 504,
    retryable: true,
    hint: 'Give it more time in the header, or look at the subscriber that should answer.',
  },
  payload_too_large: {
    message: 'The request is too large.',
    status: 413,
    retryable: false,
    hint: 'Send less at once.',
  },
  rate_limited: {
    message: 'Too many requests.',
    status: 429,
    retryable: true,
    hint: 'Wait a moment and try again.',
  },
  too_many_logins: {
    message: 'Too many failed logins.',
    status: 429,
    retryable: true,
    hint: 'Wait for the time given in Retry-After before the next attempt.',
  },
  too_many_streams: {
    message: 'Too many subscriptions on this connection.',
    status: 429,
    retryable: false,
    hint: 'Unsubscribe from services that are no longer watched.',
  },
  origin_not_allowed: {
    message: 'Origin not allowed.',
    status: 403,
    retryable: false,
    hint: "Add the page's origin to FRONTEND_URL.",
  },
  forbidden: {
    message: 'Not allowed.',
    status: 403,
    retryable: false,
    hint: 'The token does not grant this.',
  },
  not_found: { message: 'Not found.', status: 404, retryable: false, hint: 'Check the address.' },
  method_not_allowed: {
    message: 'Method not allowed.',
    status: 405,
    retryable: false,
    hint: 'Use one of the methods that the Allow header names.',
  },
  auth_failed: {
    message: 'SSH login failed.',
    status: 401,
    retryable: false,
    hint: 'Check user name and password or key; try the same login with ssh from a terminal.',
  },
  invalid_key: {
    message: 'The private key cannot be read.',
    status: 400,
    retryable: false,
    hint: 'Paste the whole private key file, and its passphrase if it has one.',
  },
  host_unreachable: {
    message: 'The host cannot be reached.',
    status: 502,
    retryable: true,
    hint: 'Check host name, port and firewall; sshd must accept connections from this server.',
  },
  host_not_allowed: {
    message: 'This host is not allowed.',
    status: 403,
    retryable: false,
    hint: 'The operator decides the reachable hosts with SSH_ALLOWED_HOSTS.',
  },
  host_key_changed: {
    message: "The host's key has changed. No credentials were sent.",
    status: 409,
    retryable: false,
    hint: 'If the host was reinstalled, have the pinned key removed or give its new fingerprint as hostKey; otherwise someone may be in between.',
  },
  ssh_connection_error: {
    message: 'SSH connection error',
    status: 502,
    retryable: true,
    hint: 'The connection is set up again by itself; no line is lost.',
  },
  ssh_closed: {
    message: 'SSH connection closed unexpectedly.',
    status: 502,
    retryable: true,
    hint: 'The connection is set up again by itself; no line is lost.',
  },
  ssh_busy: {
    message: 'The host has no free SSH channel.',
    status: 503,
    retryable: true,
    hint: 'Try again in a moment; MaxSessions and MaxStartups of its sshd limit this.',
  },
  journal_permission: {
    message: 'The SSH user may not read the journal.',
    status: 403,
    retryable: false,
    hint: 'Add the user to the group systemd-journal (sudo usermod -aG systemd-journal USER), then log in again.',
  },
  log_stream_failed: {
    message: 'Failed to start log stream for {service}',
    status: 502,
    retryable: true,
    hint: 'The stream is started again by itself.',
  },
  status_failed: {
    message: 'Status check failed',
    status: 502,
    retryable: true,
    hint: 'The next check follows by itself.',
  },
  slow_reader: {
    message: 'The connection reads too slowly.',
    status: 408,
    retryable: true,
    hint: 'Reconnect and resume from the last id.',
  },
  demo_off: {
    message: 'The demo node is not running.',
    status: 404,
    retryable: false,
    hint: 'It runs only outside production.',
  },
  store_unavailable: {
    message: 'The session store cannot be reached.',
    status: 503,
    retryable: true,
    hint: 'Redis is away; live views go on, logins work again when it is back.',
  },
  draining: {
    message: 'This server is shutting down.',
    status: 503,
    retryable: true,
    hint: 'Reconnect; another instance takes over.',
  },
  internal: {
    message: 'Something went wrong on the server.',
    status: 500,
    retryable: true,
    hint: 'Try again; if it stays, report the request id.',
  },
} as const satisfies Record<string, { message: string; status: number; retryable: boolean; hint: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** What an `error` event and a failed ack carry. `message` may say more than the table's text, never less. */
export interface ErrorPayload {
  message: string;
  code: ErrorCode;
  retryable: boolean;
  hint: string;
  service?: string;
}

/**
 * Builds the payload of an error from the table: `{service}` in its text is filled in, `detail` is appended as
 * `text: detail`.
 */
export function errorPayload(
  code: ErrorCode,
  extra: { detail?: string; service?: string } = {},
): ErrorPayload {
  const row = ERRORS[code];
  const text = row.message.replace('{service}', extra.service ?? 'the service');
  return {
    message: extra.detail ? `${text.replace(/\.$/, '')}: ${extra.detail}` : text,
    code,
    retryable: row.retryable,
    hint: row.hint,
    ...(extra.service === undefined ? {} : { service: extra.service }),
  };
}
