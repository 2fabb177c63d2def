/** Every bound of the SSH side in one place. Times in milliseconds, sizes in bytes. */
export interface SshLimits {
  /** From the TCP connect to the end of authentication. Covers PAM's delay after a wrong password (about 3 s). */
  readonly readyTimeoutMs: number;
  /** A ping goes out after this long without an answer to the previous one. */
  readonly keepaliveIntervalMs: number;
  /** So many silent intervals end a connection: 3 x 5 s, so that a hung host is noticed within 16 s. */
  readonly keepaliveMisses: number;
  /** How long opening a channel may take; a PAM session that waits for a broken service takes that long. */
  readonly openTimeoutMs: number;
  /** How long `close()` waits for the host to confirm before it resolves anyway. */
  readonly closeTimeoutMs: number;
  /** Two below OpenSSH's MaxSessions default of 10 (sshd_config(5)): sessions being torn down still count there. */
  readonly channelsPerConnection: number;
  /** How long a connection that refused a channel gets no new ones. */
  readonly fullMs: number;
  /** 200 services of one host and user need 25 connections. */
  readonly connectionsPerTarget: number;
  /** All connections of one instance, those being set up included. */
  readonly connections: number;
  /** A connection without channels stays this long for the next use. */
  readonly idleMs: number;
  /** Handshakes at once per sshd: MaxStartups drops some from 10 on, and we are not its only client. */
  readonly handshakesPerHost: number;
  /** Of those, logins whose credential has not succeeded before; see `handshakes.ts`. */
  readonly unprovenPerHost: number;
  /** Handshakes that may wait for one sshd; more are refused with ssh_busy. */
  readonly handshakeQueue: number;
  /** How long a handshake may wait for its turn. */
  readonly handshakeWaitMs: number;
  /**
   * What a failed login costs us at an sshd that keeps score: OpenSSH from 9.8 on adds 5 s of penalty per failure, which pass
   * like time, and refuses the whole source address above 15 s (sshd_config(5), PerSourcePenalties).
   */
  readonly authFailureMs: number;
  /** All users of this server share that address, so it stops one failure earlier. */
  readonly authFailureBudgetMs: number;
  /** A credential that failed is not sent again for this long, except by an explicit login. */
  readonly authCooldownMs: number;
  /** Unread data on one channel at which the connection is cut: an honest host stays below 3 MiB. */
  readonly unreadBytes: number;
  /** Answers a host leaves unread at which the connection is cut. */
  readonly unsentBytes: number;
  /** Requests of ours a host leaves unanswered at which the connection is cut: pings, and one more after the login. */
  readonly unansweredRequests: number;
}

export const DEFAULT_LIMITS: SshLimits = {
  readyTimeoutMs: 10_000,
  keepaliveIntervalMs: 5_000,
  keepaliveMisses: 3,
  openTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  channelsPerConnection: 8,
  fullMs: 10_000,
  connectionsPerTarget: 32,
  connections: 2_000,
  idleMs: 30_000,
  handshakesPerHost: 4,
  unprovenPerHost: 2,
  handshakeQueue: 64,
  handshakeWaitMs: 10_000,
  authFailureMs: 5_000,
  authFailureBudgetMs: 10_000,
  authCooldownMs: 60_000,
  unreadBytes: 4 * 1024 * 1024,
  unsentBytes: 1024 * 1024,
  unansweredRequests: 100,
};
