import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS, type ErrorCode } from '../../shared/errors.ts';
import type { HttpErrorBody } from '../../shared/http.ts';

/** Wait for a refused client to take the answer, in ms. */
const REFUSAL_MS = 2000;
/** The versions of the protocol that ws speaks; a client of another one has to be told (RFC 6455 section 4.4). */
const VERSIONS = '13, 8';

interface RefusalOptions {
  /** Names the request in the answer and in the log. */
  requestId?: string;
  /** HTTP status where it is not that of the error. */
  status?: number | undefined;
  headers?: Readonly<Record<string, string>>;
}

function write(code: ErrorCode, options: RefusalOptions) {
  const { requestId = randomUUID(), status = ERRORS[code].status } = options;
  const { message, hint } = ERRORS[code];
  const body = JSON.stringify({ error: { code, message, hint, requestId } } satisfies HttpErrorBody);
  const headers = {
    Connection: 'close',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...options.headers,
  };
  return { status, headers, body };
}

/** Answers an upgrade request over plain HTTP, in the form of [HTTP-2], and ends its connection. */
export function refuseUpgrade(socket: Duplex, code: ErrorCode, options: RefusalOptions = {}): void {
  const { status, headers, body } = write(code, options);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  // Whoever does not take the answer, or keeps its side open, is not waited for.
  const timer = setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** A listener for `wsClientError`: answers what is no handshake of RFC 6455 (section 4.2.1), which ws does in HTML. */
export function refuseHandshake(_error: Error, socket: Duplex, request: IncomingMessage): void {
  if (request.method !== 'GET') refuseUpgrade(socket, 'method_not_allowed', { headers: { Allow: 'GET' } });
  else refuseUpgrade(socket, 'invalid_request', { headers: { 'Sec-WebSocket-Version': VERSIONS } });
}

/** Answers a request that does not reach the routes. */
export function refuseRequest(response: ServerResponse, code: ErrorCode): void {
  const { status, headers, body } = write(code, {});
  response.writeHead(status, headers).end(body);
}
