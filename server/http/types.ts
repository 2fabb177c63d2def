import type { CompleteLogEntry, Level } from '../../shared/log-entry.ts';
import type { Config } from '../config.ts';
import type { ProxyTrust } from '../core/client-address.ts';
import type { Metrics } from '../core/metrics.ts';
import type { OriginPolicy } from '../core/origin-policy.ts';
import type { Logger } from '../core/types.ts';
import type { RoomHost } from '../rooms/room-host.ts';
import type { RoomTokens } from '../rooms/tokens/room-token.ts';
import type { Session, SessionStore } from '../sessions/types.ts';
import type { HostKey, HostKeyVerdict, SshTarget } from '../ssh/types.ts';

export interface LoginResult {
  token: string;
  session: Session;
  hostKey: HostKey & HostKeyVerdict;
}

/**
 * Logs in to a host over SSH and opens a session for it.
 * @throws AppError with the codes of a login: auth_failed, host_unreachable, too_many_logins, ...
 */
export type Login = (request: {
  target: SshTarget;
  clientAddress: string;
  demo?: boolean;
}) => Promise<LoginResult>;

export interface LogDownloadRequest {
  session: Session;
  clientAddress: string;
  service: string;
  /** Epoch ms, inclusive. */
  since?: number;
  /** Epoch ms, inclusive. */
  until?: number;
  level?: Level;
  grep?: string;
  /** Aborts when the client has gone. */
  signal: AbortSignal;
}

/** Reads a unit's journal, oldest first, no faster than the result is taken [LOG-8]. @throws AppError */
export interface LogDownloads {
  download(request: LogDownloadRequest): AsyncIterable<CompleteLogEntry>;
}

/** A limit on how often one client may do something, shared by all instances. */
export interface RateLimit {
  /** Counts one use by a client address. @throws AppError rate_limited with retryAfterMs */
  use(address: string): Promise<void>;
}

/** What `/readyz` says: ready only if every check is. */
export interface Readiness {
  ready: boolean;
  checks: Record<string, boolean>;
}

/** What the routes of rooms use. */
export interface HttpRooms {
  host: RoomHost;
  tokens: RoomTokens;
  /** Who may mint tokens; undefined: nobody. */
  issuerKey: string | undefined;
  /** Pushes of one client. */
  postLimit: RateLimit;
  /** Largest body of a push, in bytes. */
  maxPayloadBytes: number;
}

export type HttpConfig = Pick<
  Config,
  | 'production'
  | 'frontendUrls'
  | 'allowedUnits'
  | 'metricsToken'
  | 'sessionMaxAgeMs'
  | 'docsUsername'
  | 'docsPassword'
>;

/** Everything the HTTP routes use. */
export interface HttpDeps {
  config: HttpConfig;
  /** Version of the product, for /health and /config.json. */
  version: string;
  logger: Logger;
  metrics: Metrics;
  trust: ProxyTrust;
  originPolicy: OriginPolicy;
  sessions: SessionStore;
  login: Login;
  /** Ends a session for the whole cluster and tells its sockets [SIO-8]. @returns whether it existed */
  logout(token: string): Promise<boolean>;
  /** Where the demo node is; null where it does not run. */
  demoTarget(): SshTarget | null;
  downloads: LogDownloads;
  /** HTTP_RATE, for the routes that log in or mint tokens. */
  loginLimit: RateLimit;
  /** Rooms; null where they are off. */
  rooms: HttpRooms | null;
  readiness(): Readiness;
  /** Figures of the public /health. */
  counts(): { rooms: number; clients: number };
  /** Directory of the exported dashboard; it may be missing. */
  dashboardDir: string;
}
