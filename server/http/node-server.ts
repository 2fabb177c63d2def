import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Config } from '../config.ts';
import { SettingError } from '../core/errors.ts';

/** Files of `TLS_CERT` and its companions. */
export type TlsConfig = Pick<Config, 'tlsCert' | 'tlsKey' | 'tlsCa' | 'tlsRequestClientCert'>;

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

function readPem(variable: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingError(`${variable} names a file that cannot be read: ${errorCode(error)}`);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/**
 * The listening side: plain HTTP, or HTTPS where TLS_CERT and TLS_KEY are set (TLS 1.2 and newer).
 * @throws SettingError where a file of TLS_CERT and its companions is missing or malformed
 */
export function createNodeServer(
  listener: http.RequestListener,
  tls?: TlsConfig,
): http.Server | https.Server {
  const server =
    tls?.tlsCert !== undefined && tls.tlsKey !== undefined
      ? createTlsServer(listener, {
          cert: readPem('TLS_CERT', tls.tlsCert),
          key: readPem('TLS_KEY', tls.tlsKey),
          ...(tls.tlsCa === undefined ? {} : { ca: readPem('TLS_CA', tls.tlsCa) }),
          requestCert: tls.tlsRequestClientCert,
          rejectUnauthorized: tls.tlsRequestClientCert,
        })
      : http.createServer(LIMITS, listener);
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

function createTlsServer(listener: http.RequestListener, options: https.ServerOptions): https.Server {
  try {
    return https.createServer({ ...LIMITS, ...options, minVersion: 'TLSv1.2' }, listener);
  } catch (error) {
    throw new SettingError(`TLS_CERT, TLS_KEY or TLS_CA is not what it should be: ${errorCode(error)}`);
  }
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
