import {
  allowedHosts,
  flag,
  httpUrl,
  integer,
  listenHost,
  oneOf,
  origins,
  plainText,
  redisUrl,
  secretList,
  trustProxy,
  units,
} from './setting-parsers.ts';

/**
 * Every setting Tailwire knows, in one table [ENV-1]: its variable, default, meaning and parser. `.env.example`, the
 * README and the type of the configuration all come from here. A parser gets text that is not empty and throws an Error
 * whose message ends the sentence "NAME ...".
 */
export interface Setting<T> {
  /** The variable; `aliases` are read where it is not set. */
  name: string;
  aliases?: readonly string[];
  parse: (text: string) => T;
  /** Default as one would write it in the environment; absent: not set. */
  default?: string;
  /** Default outside production, where it differs. */
  developmentDefault?: string;
  /** One or two sentences, unit included. */
  doc: string;
  /** A valid value, shown beside the complaint about a bad one. */
  example: string;
  /** A secret: never printed, placeholder values refused in production. */
  secret?: boolean;
  /** A secret that is made up for the run outside production where it is missing. */
  madeUp?: boolean;
  /** Production does not start without it. */
  required?: boolean;
}

const DAY_S = 86_400;
const secret = { secret: true, parse: plainText } as const;

/** Key: name inside the configuration, where every duration is in milliseconds. */
export const SETTINGS = {
  nodeEnv: {
    name: 'NODE_ENV',
    parse: oneOf('production', 'development', 'test'),
    default: 'development',
    doc: 'production, development or test. Production refuses to start on missing or placeholder secrets and has no demo node.',
    example: 'production',
  },
  redisUrl: {
    name: 'REDIS_URL',
    parse: redisUrl,
    doc: 'Redis that makes several instances one: redis://, rediss:// (TLS) or redis+sentinel://host:26379,host:26379/name. Required in production unless EMBEDDED=1; without it everything lives in memory.',
    example: 'redis://localhost:6379',
  },
  embedded: {
    name: 'EMBEDDED',
    parse: flag,
    default: '0',
    doc: '1: one instance on its own, everything in memory, also in production; REDIS_URL is then ignored.',
    example: '1',
  },
  port: {
    name: 'PORT',
    aliases: ['WS_PORT'],
    parse: integer(0, 65_535),
    default: '3001',
    doc: 'TCP port for everything; 0 takes a free one.',
    example: '3001',
  },
  host: {
    name: 'HOST',
    parse: listenHost,
    default: '0.0.0.0',
    developmentDefault: '127.0.0.1',
    doc: 'Address to listen on.',
    example: '0.0.0.0',
  },
  frontendUrls: {
    name: 'FRONTEND_URL',
    parse: origins,
    default: 'http://localhost:3000',
    doc: 'Origins of dashboards on other hosts, comma separated. Pages this server delivers itself are always allowed.',
    example: 'https://watch.example.org',
  },
  trustProxy: {
    name: 'TRUST_PROXY',
    parse: trustProxy,
    default: '0',
    doc: 'Number of reverse proxies in front, or their addresses (addresses, CIDR ranges, loopback), comma separated: whose X-Forwarded-For is believed.',
    example: '1',
  },
  sessionSecrets: {
    name: 'SESSION_SECRET',
    parse: secretList,
    doc: 'Seals the SSH credentials of sessions. Several, comma separated, newest first: the first seals, all open (rotation). Required in production.',
    example: 'the output of: openssl rand -base64 32',
    secret: true,
    madeUp: true,
    required: true,
  },
  sessionTtlMs: {
    name: 'SESSION_TTL',
    parse: integer(1, 30 * DAY_S, 1000),
    default: '10200',
    doc: 'Seconds after its last use that a session ends.',
    example: '10200',
  },
  sessionMaxAgeMs: {
    name: 'SESSION_MAX_AGE',
    parse: integer(1, 90 * DAY_S, 1000),
    default: '86400',
    doc: 'Seconds after its login that a session ends, used or not.',
    example: '86400',
  },
  authTimeoutMs: {
    name: 'AUTH_TIMEOUT',
    parse: integer(1, 300, 1000),
    default: '10',
    doc: 'Seconds that a connection may stay without a valid token.',
    example: '10',
  },
  sealPlainSessions: {
    name: 'SEAL_PLAIN_SESSIONS',
    parse: flag,
    default: '0',
    doc: '1: replaces plain sessions that another application wrote into Redis by sealed ones; that application can then no longer read them.',
    example: '1',
  },
  sshAllowedHosts: {
    name: 'SSH_ALLOWED_HOSTS',
    parse: allowedHosts,
    doc: 'Hosts that may be logged in to: names, addresses and CIDR ranges, comma separated. Unset: any but loopback, link-local, metadata, multicast and unspecified addresses.',
    example: 'node1.example.org,10.0.0.0/8',
  },
  allowedUnits: {
    name: 'ALLOWED_UNITS',
    parse: units,
    default: 'execution,consensus,validator,mevboost,csm_nimbusvalidator,charon',
    doc: 'systemd units that may be watched, comma separated, in display order.',
    example: 'execution,consensus,validator',
  },
  jwtSecret: {
    name: 'JWT_SECRET',
    aliases: ['NEXUS_JWT_SECRET'],
    ...secret,
    doc: 'Checks the HS256 JWTs of the channels on /ws and /mb. Unset in production: those paths are off.',
    example: 'the output of: openssl rand -base64 32',
    madeUp: true,
  },
  hmacSecret: {
    name: 'HMAC_SECRET',
    aliases: ['AUTH_SECRET'],
    ...secret,
    doc: 'Signs and checks room tokens. Unset in production: rooms are off.',
    example: 'the output of: openssl rand -base64 32',
    madeUp: true,
  },
  issuerKey: {
    name: 'ISSUER_KEY',
    ...secret,
    doc: 'Whoever presents it may have room tokens minted. Unset in production: none are minted.',
    example: 'the output of: openssl rand -base64 32',
    madeUp: true,
  },
  metricsToken: {
    name: 'METRICS_TOKEN',
    ...secret,
    doc: 'Bearer token for /metrics. Unset: open outside production, 404 in production.',
    example: 'the output of: openssl rand -hex 24',
  },
  docsUsername: {
    name: 'DOCS_USERNAME',
    parse: plainText,
    doc: 'User name for everything under /docs (basic auth), together with DOCS_PASSWORD. Unset: open outside production, 404 in production.',
    example: 'docs',
  },
  docsPassword: {
    name: 'DOCS_PASSWORD',
    ...secret,
    doc: 'Password for /docs, together with DOCS_USERNAME.',
    example: 'the output of: openssl rand -hex 12',
  },
  heartbeatIntervalMs: {
    name: 'HEARTBEAT_INTERVAL',
    parse: integer(50, 3_600_000),
    default: '30000',
    doc: 'Milliseconds between pings on plain WebSocket connections.',
    example: '30000',
  },
  clientTimeoutMs: {
    name: 'CLIENT_TIMEOUT',
    parse: integer(50, 3_600_000),
    default: '60000',
    doc: 'Milliseconds of silence after which a plain WebSocket connection is cut.',
    example: '60000',
  },
  maxPayloadBytes: {
    name: 'MAX_PAYLOAD_BYTES',
    parse: integer(1024, 64 * 1024 * 1024),
    default: '1048576',
    doc: 'Largest WebSocket message, in bytes.',
    example: '1048576',
  },
  messageRate: {
    name: 'MESSAGE_RATE',
    parse: integer(1, 1_000_000),
    default: '100',
    doc: 'Messages a second that one connection may send; bursts of twice that pass.',
    example: '100',
  },
  httpRate: {
    name: 'HTTP_RATE',
    parse: integer(1, 1_000_000),
    default: '60',
    doc: 'Requests a minute that one client may send to the routes that log in or mint tokens.',
    example: '60',
  },
  validationUrl: {
    name: 'VALIDATION_URL',
    parse: httpUrl,
    doc: 'Service that checks licence keys for the key validation dialect. Unset: that dialect is off in production, and elsewhere no key is valid.',
    example: 'https://keys.example.org/validate',
  },
  roomsDir: {
    name: 'ROOMS_DIR',
    parse: plainText,
    doc: 'Directory of room handlers of your own (ES modules), beside the built-in ones.',
    example: './rooms',
  },
  tlsCert: {
    name: 'TLS_CERT',
    parse: plainText,
    doc: 'PEM file with the certificate chain; with TLS_KEY the server speaks HTTPS and WSS itself. SIGHUP has the files read anew.',
    example: '/etc/tailwire/cert.pem',
  },
  tlsKey: {
    name: 'TLS_KEY',
    parse: plainText,
    doc: 'PEM file with the private key of TLS_CERT.',
    example: '/etc/tailwire/key.pem',
  },
  tlsCa: {
    name: 'TLS_CA',
    parse: plainText,
    doc: 'PEM file with the authorities that client certificates must come from.',
    example: '/etc/tailwire/ca.pem',
  },
  tlsRequestClientCert: {
    name: 'TLS_REQUEST_CLIENT_CERT',
    parse: flag,
    default: '0',
    doc: '1: clients must present a certificate of TLS_CA.',
    example: '1',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    parse: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    doc: 'Least severe level that is logged: error, warn, info or debug.',
    example: 'info',
  },
  logFormat: {
    name: 'LOG_FORMAT',
    parse: oneOf('json', 'pretty'),
    default: 'json',
    developmentDefault: 'pretty',
    doc: 'json (one object a line) or pretty.',
    example: 'json',
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingKey = keyof typeof SETTINGS;
