import type { AppError } from '../core/errors.ts';

/** How a user proves to a host who they are. Never logged; lives sealed in the session store. */
export type Credential =
  | { method: 'password'; password: string }
  | { method: 'privateKey'; privateKey: string; passphrase?: string };

export interface SshTarget {
  host: string;
  port: number;
  username: string;
  credential: Credential;
  /** Expected fingerprint (`SHA256:...`), where the user named one that is not the pinned one; otherwise the pin decides. */
  hostKey?: string;
}

export interface HostKey {
  /** As in the key blob: ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa, ... */
  algorithm: string;
  /** `SHA256:` and unpadded base64, as `ssh-keygen -lf` prints it. */
  fingerprint: string;
}

/** What is known about an accepted host key. */
export interface HostKeyVerdict {
  /** When the cluster saw it first: ISO 8601 UTC. */
  firstSeen: string;
  /** False where it is another key than the pinned one, accepted only because the user named it. */
  pinned: boolean;
}

/** Decides about a host's key before any credential is sent [SES-3]. */
export interface HostKeyPolicy {
  /**
   * Accepts a key that equals the pin of host:port (or the expected one), pins it on first use, refuses otherwise.
   * @throws AppError host_key_changed; store_unavailable where the pins cannot be read (no key is accepted blindly).
   */
  check(at: { host: string; port: number }, key: HostKey, expected?: string): Promise<HostKeyVerdict>;
}

/** Decides which addresses may be reached [SES-4]. */
export interface TargetPolicy {
  /**
   * Resolves a host name once and checks every address it has.
   * @returns the address to connect to, one of those checked.
   * @throws AppError host_not_allowed, host_unreachable (name does not resolve)
   */
  resolve(host: string, port: number): Promise<{ address: string; family: 4 | 6 }>;
}

export interface RemoteExit {
  code: number | null;
  signal: string | null;
  /** The last 4 KiB of standard error. */
  stderr: string;
  /** Set where not the process ended but its connection: ssh_closed, ssh_connection_error. */
  error?: AppError;
}

/** A process started on a host. */
export interface RemoteProcess {
  /** Standard output. Not reading it stops the remote side (SSH window, at most 2 MiB buffered). */
  readonly stdout: NodeJS.ReadableStream & AsyncIterable<Buffer>;
  /** Settles once, never rejects. */
  readonly exit: Promise<RemoteExit>;
  /** Closes the channel; the remote process ends on its next write. Idempotent, resolves when the slot is free. */
  close(): Promise<void>;
}

export interface RunResult extends RemoteExit {
  stdout: string;
}

/** The SSH connections of one instance, shared by all sessions with the same credentials. */
export interface SshPool {
  /**
   * Proves a credential by a login of its own (no shared connection is used for the proof), leaves the connection in
   * the pool for the use that follows.
   * @throws AppError auth_failed, invalid_key, host_unreachable, host_not_allowed, host_key_changed, ssh_busy
   */
  login(target: SshTarget): Promise<HostKey & HostKeyVerdict>;
  /**
   * Starts a command. `argv` is quoted for a POSIX shell word by word, so that nothing in it is interpreted, and stands
   * as one simple command: the shell of the login user replaces itself by it, no process stays behind.
   * @throws AppError as `login`, or ssh_closed where the signal aborted first
   */
  exec(
    target: SshTarget,
    argv: readonly string[],
    options?: { signal?: AbortSignal },
  ): Promise<RemoteProcess>;
  /** Runs a command to its end. At most `maxBytes` of output (1 MiB) and `timeoutMs` (10 000), else ssh_connection_error. */
  run(
    target: SshTarget,
    argv: readonly string[],
    options?: { timeoutMs?: number; maxBytes?: number; signal?: AbortSignal },
  ): Promise<RunResult>;
  /** Open connections and channels, for metrics and tests. */
  stats(): { connections: number; channels: number };
  /** Ends everything; repeated calls share one promise. */
  stop(): Promise<void>;
}
