import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type http from 'node:http';
import https from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from '../config.ts';
import { SettingError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';

/** Files of `TLS_CERT` and its companions. */
export type TlsConfig = Pick<Config, 'tlsCert' | 'tlsKey' | 'tlsCa' | 'tlsRequestClientCert'>;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function readPem(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingError(`${variable} names a file that cannot be read: ${errorCode(error)}`);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** OpenSSL takes a file without a certificate for an empty list of authorities, which would then refuse everybody. */
function readAuthorities(file: string): string {
  const pem = readPem('TLS_CA', file);
  const found = pem.match(CERTIFICATE) ?? [];
  try {
    for (const one of found) new X509Certificate(one);
  } catch (error) {
    throw new SettingError(`TLS_CA holds a certificate that cannot be read: ${errorCode(error)}`);
  }
  if (found.length === 0) throw new SettingError('TLS_CA holds no certificate');
  return pem;
}

/**
 * Reads the files as they are now, and proves that they belong together.
 * @returns null where TLS is off
 * @throws SettingError where a file is missing, malformed, or the key is not that of the certificate
 */
export function readTls(tls: TlsConfig): SecureContextOptions | null {
  if (tls.tlsCert === undefined || tls.tlsKey === undefined) return null;
  const options: SecureContextOptions = {
    cert: readPem('TLS_CERT', tls.tlsCert),
    key: readPem('TLS_KEY', tls.tlsKey),
    ...(tls.tlsCa === undefined ? {} : { ca: readAuthorities(tls.tlsCa) }),
    // TLS 1.0 and 1.1 are not to be used (RFC 8996), whatever the defaults of Node are told to be.
    minVersion: 'TLSv1.2',
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new SettingError(`TLS_CERT, TLS_KEY or TLS_CA is not what it should be: ${errorCode(error)}`);
  }
  return options;
}

/**
 * Makes the function that reads the TLS files anew. New connections get the new certificate, those that are open stay. Where
 * a file is not right, the old ones stay in use and the log says why.
 */
export function createTlsReload(deps: {
  server: http.Server | https.Server;
  tls: TlsConfig;
  logger: Logger;
}): () => void {
  const { server, tls, logger } = deps;
  return () => {
    if (!(server instanceof https.Server)) {
      logger.info('Nothing to read anew: TLS is off');
      return;
    }
    try {
      const options = readTls(tls);
      if (!options) return;
      server.setSecureContext(options);
      const { subject, validTo, fingerprint256 } = new X509Certificate(String(options.cert));
      logger.info('TLS files read anew', { subject, validTo, fingerprint: fingerprint256 });
    } catch (error) {
      const reason = error instanceof SettingError ? error.message : errorCode(error);
      logger.error('TLS files are not right; the old ones stay in use', { reason });
    }
  };
}
