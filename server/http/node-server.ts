import http from 'node:http';
import https from 'node:https';
import { readTls, type TlsConfig } from './tls.ts';

/**
 * Limits against clients that send slowly or not at all (Node's defaults are 60 s, 300 s and a check every 30 s), in ms.
 * They end when a request has been read: downloads and upgraded connections are not cut by them.
 */
const LIMITS = {
  headersTimeout: 8_000,
  requestTimeout: 8_500,
  connectionsCheckingInterval: 1_000,
  // Longer than the 60 s after which common proxies drop an idle connection, so that they and not we close it.
  keepAliveTimeout: 65_000,
};

/** Most open connections of one instance, upgraded ones included: four times what one instance is built for. */
const CONNECTIONS_MAX = 20_000;

/**
 * Connections that may wait to be taken. Where a queue is full, the kernel drops what comes, and it comes again after 1, 3,
 * 7, 15 and 31 s: thousands of viewers of an instance that has died would be back half a minute later with Node's 511.
 * The kernel cuts this at its own net.core.somaxconn (4096 since Linux 5.4).
 */
export const BACKLOG = 8192;

/** Longest TLS handshake, in ms (Node's default is 120 s): as long as a client has for its headers. */
const HANDSHAKE_MS = 10_000;

/**
 * A client that takes nothing of an answer for this long, in ms, is cut. Node looks twice before it believes that nothing
 * moves, so that it ends after at most twice as long.
 */
const STALLED_MS = 5_000;

/** Cuts a client that does not take its answer. One that waits for an answer still to come is not meant. */
function limitStalls({ socket }: http.IncomingMessage, response: http.ServerResponse): void {
  socket.setTimeout(STALLED_MS);
  response.on('timeout', () => {
    if (socket.writableLength > 0) socket.destroy();
  });
}

/**
 * The listening side: plain HTTP, or HTTPS where TLS_CERT and TLS_KEY are set (TLS 1.2 and newer).
 * @throws SettingError where a file of TLS_CERT and its companions is missing or malformed
 */
export function createNodeServer(
  listener: http.RequestListener,
  tls?: TlsConfig,
): http.Server | https.Server {
  const files = tls && readTls(tls);
  const server = files
    ? https.createServer(
        {
          ...LIMITS,
          ...files,
          handshakeTimeout: HANDSHAKE_MS,
          requestCert: tls.tlsRequestClientCert,
          rejectUnauthorized: tls.tlsRequestClientCert,
        },
        listener,
      )
    : http.createServer(LIMITS, listener);
  server.maxConnections = CONNECTIONS_MAX;
  server.prependListener('request', limitStalls);
  return server;
}

/** How long a stop waits for requests that are being answered before it cuts them, in ms. */
const FINISH_MS = 2500;
/** How often it closes connections that have become idle meanwhile, in ms. */
const IDLE_SWEEP_MS = 50;

/**
 * Makes the function that ends a server: it stops listening at once, lets requests that are being answered end, and
 * cuts what is left after `finishMs`. Upgraded connections are for their owners to close. Every call returns the same
 * promise; it never rejects.
 */
export function createDrain(server: http.Server | https.Server, finishMs = FINISH_MS): () => Promise<void> {
  async function drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), finishMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }
  let drained: Promise<void> | undefined;
  return () => (drained ??= drain());
}
