import type { ErrorCode } from '../../shared/errors.ts';
import type { SessionEndReason } from '../../shared/events.ts';
import type { SshTarget } from '../ssh/types.ts';

export type { SessionEndReason };

/** A logged-in user's access to one host. The token itself is never kept in it, logged or stored. */
export interface Session {
  /** SHA-256 of the token in hex: names the session inside, in logs too. */
  readonly id: string;
  readonly target: SshTarget;
  /** True for the demo node. */
  readonly demo: boolean;
  /** Units this session may watch, where the session itself brings a list; otherwise ALLOWED_UNITS. */
  readonly units?: readonly string[];
  /** Epoch ms of the login. */
  readonly createdAt: number;
  /** Epoch ms when it ends if unused: the sliding end, never past the absolute one. */
  readonly expiresAt: number;
}

/** The session store [SES-1]: one Redis and one in-memory implementation. */
export interface SessionStore {
  /** Seals and keeps a new session. @returns its token (256 bit, base64url) and itself */
  create(
    target: SshTarget,
    options?: { demo?: boolean; units?: readonly string[] },
  ): Promise<{ token: string; session: Session }>;
  /**
   * Looks a token up and renews its sliding end.
   * @returns null where the token is unknown, malformed, expired, revoked or cannot be opened
   * @throws AppError store_unavailable
   */
  get(token: string): Promise<Session | null>;
  /** Renews the sliding end of a session in use, and puts it back where the store lost it [SES-7]. @returns the new expiresAt, null where it has ended */
  touch(token: string, session: Session): Promise<number | null>;
  /** Ends a session for the whole cluster, for ever. Unknown tokens are no error. `reason`: logout. @returns whether it existed */
  revoke(token: string, reason?: SessionEndReason): Promise<boolean>;
  /** Marks that the session's credential has logged in to its host [SES-6], or asks for it. */
  markProven(session: Session): Promise<void>;
  isProven(session: Session): Promise<boolean>;
  stop(): Promise<void>;
}

/** Told to every instance when a session ends anywhere [SIO-8]. */
export interface SessionEnd {
  sessionId: string;
  reason: SessionEndReason;
}

/** `lost`: the store does not know it, and nobody ended it: it ran out, or the store came back empty. */
export type SessionFate = 'alive' | 'lost' | SessionEndReason;

/** The cheap question of the session watch. */
export interface SessionFates {
  /** What has become of these sessions, in the order asked. Renews nothing. @throws AppError store_unavailable */
  fates(tokens: readonly string[]): Promise<SessionFate[]>;
}

/** Who proves a session's credential, so that the whole cluster does it once [SES-6]. */
export interface SessionProofs {
  /** `taken`: the caller's to prove within `holdMs`; `busy`: another is at it. @throws AppError store_unavailable */
  claimProof(session: Session, holdMs: number): Promise<'taken' | 'busy' | 'proven' | { failed: ErrorCode }>;
  /** Writes a failure down for `rememberMs`, so that the others do not repeat it; null gives the claim back. */
  failProof(session: Session, code: ErrorCode | null, rememberMs: number): Promise<void>;
}
