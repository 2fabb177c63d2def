import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';

/** Headers that ask for the upgrade; they belong to one connection only (RFC 9110 section 7.6.1). */
const UPGRADE_HEADERS = new Set(['upgrade', 'connection', 'http2-settings']);

/** Whether a request with an `Upgrade` header asks for WebSocket. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '').split(',').some((name) => name.trim().toLowerCase() === 'websocket');
}

/**
 * Answers a request that asks for a protocol we do not speak as if it had not asked (RFC 9110 section 7.8): Java's
 * HttpClient and `curl --http2` offer `h2c` with ordinary requests. Node lets go of the connection of every upgrade, so it
 * is given back with the request in front, without the headers that ask.
 *
 * @param head what came behind the headers: the beginning of the body
 */
export function answerWithoutUpgrade(
  server: HttpServer | HttpsServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!UPGRADE_HEADERS.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(server instanceof HttpsServer ? 'secureConnection' : 'connection', socket);
}
