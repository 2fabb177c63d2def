import type { RedisOptions } from 'ioredis';
import { SettingError } from '../core/errors.ts';

/** Where a Redis is: what ioredis needs to reach it, and a label for logs that holds no credentials. */
export interface RedisAddress {
  options: RedisOptions;
  label: string;
}

interface Endpoint {
  host: string;
  port: number;
}

const FORMS =
  'redis://[[user]:password@]host[:port][/db], rediss:// for TLS, or redis+sentinel://[[user]:password@]host[:port],.../master[/db]';
const TLS_PARAMETERS = ['tlsVerify', 'tlsServername'];
const PARAMETERS: Record<string, readonly string[]> = {
  'redis:': [],
  'rediss:': TLS_PARAMETERS,
  'redis+sentinel:': ['tls', 'sentinelTls', 'sentinelUsername', 'sentinelPassword', ...TLS_PARAMETERS],
};

/**
 * No message repeats anything of the URL: a password with a `/`, `?` or `#` that nobody escaped may turn up as any part.
 */
function malformed(what: string): SettingError {
  return new SettingError(`REDIS_URL ${what}; use ${FORMS}`);
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed(`has a broken % sequence in its ${what}`);
  }
}

function parseEndpoint(text: string, defaultPort: number): Endpoint {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined) throw malformed('has no valid host');
  if (port < 1 || port > 65_535) throw malformed('has a port outside 1-65535');
  return { host, port };
}

function parseDatabase(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,4}$/.test(text)) throw malformed('has a database that is not a number');
  return Number(text);
}

function parseUser(text: string): { username?: string; password?: string } {
  const colon = text.indexOf(':');
  if (colon < 0) throw malformed('has a user name without a password (":password@" where there is no user)');
  const username = decode(text.slice(0, colon), 'user name');
  const password = decode(text.slice(colon + 1), 'password');
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function parseFlag(value: string | null, name: string, otherwise: boolean): boolean {
  if (value === null) return otherwise;
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw malformed(`has a value of ${name} that is neither 1 nor 0`);
}

/**
 * Reads REDIS_URL. `tlsVerify=0` accepts any certificate (hosted servers with self-signed ones), `tlsServername` sets
 * the name to verify; with sentinels `tls=1` is for the master, `sentinelTls` (unless given as `tls`) for the sentinels.
 * @throws SettingError with a message that names the fault and never holds the URL or its password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = /^([A-Za-z+]+:)\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url.trim());
  const scheme = match?.[1]?.toLowerCase() ?? '';
  const allowed = PARAMETERS[scheme];
  if (match === null || allowed === undefined) throw malformed('is malformed or has an unknown scheme');
  const authority = match[2] ?? '';
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? {} : parseUser(authority.slice(0, at));
  const hosts = authority.slice(at + 1);
  const path = (match[3] ?? '').split('/');
  const query = new URLSearchParams(match[4] ?? '');
  for (const name of query.keys()) {
    if (!allowed.includes(name))
      throw malformed(`has a parameter that is not known here (known: ${allowed.join(', ') || 'none'})`);
  }
  const tls = {
    ...(parseFlag(query.get('tlsVerify'), 'tlsVerify', true) ? {} : { rejectUnauthorized: false }),
    ...(query.get('tlsServername') ? { servername: query.get('tlsServername') ?? '' } : {}),
  };

  if (scheme === 'redis+sentinel:') {
    const sentinels = hosts.split(',').map((host) => parseEndpoint(host, 26_379));
    const [master, database, ...rest] = path;
    const name = master ?? '';
    // The characters that sentinel.conf allows.
    if (!/^[A-Za-z0-9._-]+$/.test(name)) throw malformed('names no valid master');
    if (rest.some((part) => part !== '')) throw malformed('has a path with too many parts');
    const db = parseDatabase(database);
    const masterTls = parseFlag(query.get('tls'), 'tls', false);
    const sentinelTls = parseFlag(query.get('sentinelTls'), 'sentinelTls', masterTls);
    const sentinelUsername = query.get('sentinelUsername');
    const sentinelPassword = query.get('sentinelPassword');
    return {
      label: `redis+sentinel://${sentinels.map(formatEndpoint).join(',')}/${name}/${db}`,
      options: {
        sentinels,
        name,
        db,
        ...user,
        ...(sentinelUsername === null ? {} : { sentinelUsername }),
        ...(sentinelPassword === null ? {} : { sentinelPassword }),
        ...(masterTls ? { enableTLSForSentinelMode: true, tls } : {}),
        ...(sentinelTls ? { sentinelTLS: tls } : {}),
      },
    };
  }

  const endpoint = parseEndpoint(hosts, 6379);
  const [database, ...rest] = path;
  if (rest.some((part) => part !== '')) throw malformed('has a path with too many parts');
  const db = parseDatabase(database);
  const secure = scheme === 'rediss:';
  // A server name may not be an IP address (RFC 6066 section 3).
  const named = /^[\d.]+$|:/.test(endpoint.host) ? {} : { servername: endpoint.host };
  return {
    label: `${scheme}//${formatEndpoint(endpoint)}/${db}`,
    options: { ...endpoint, db, ...user, ...(secure ? { tls: { ...named, ...tls } } : {}) },
  };
}

function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
