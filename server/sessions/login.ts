import type { ErrorCode } from '../../shared/errors.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { sleep } from '../core/sleep.ts';
import { steadyNow } from '../core/steady-time.ts';
import { normalizeHost } from '../ssh/address.ts';
import type { HostKey, HostKeyVerdict, SshPool, SshTarget, TargetPolicy } from '../ssh/types.ts';
import type { LoginLimits } from './login-limits.ts';
import type { Session, SessionProofs, SessionStore } from './types.ts';

/** These tell about a network, so that their answers come at set times and tell nothing by when they come [SES-4]. */
const TIMED: readonly ErrorCode[] = ['auth_failed', 'host_unreachable', 'host_not_allowed'];
/** Such an answer comes at a multiple of this after the request, ms; longer than a refusal and a wrong password take. */
const TIME_FLOOR = 1500;
/** Random addition to it, as a share. */
const TIME_JITTER = 0.1;
/** A proof under way is another's to make after this, ms: longer than waiting for the limits and an SSH login can take. */
const PROOF_HOLD = 30_000;
/** How often the others look, ms, and for how long. */
const PROOF_POLL = 150;
const PROOF_WAIT = 30_000;
/** How long a failed proof stands for all sockets of the session, ms. A refused password is not tried again soon. */
const FAILURE_MEMORY: Partial<Record<ErrorCode, number>> = {
  auth_failed: 60_000,
  invalid_key: 60_000,
  host_not_allowed: 60_000,
  host_key_changed: 10_000,
  host_unreachable: 5000,
  too_many_logins: 5000,
};

export interface LoginRequest {
  target: SshTarget;
  /** Address of the client, as server/core/client-address.ts finds it. */
  clientAddress: string;
  demo?: boolean;
  units?: readonly string[];
}

export interface LoginResult {
  token: string;
  session: Session;
  hostKey: HostKey & HostKeyVerdict;
}

export interface Logins {
  /**
   * Logs in to a host and opens a session for it [SES-2].
   * @throws AppError auth_failed, invalid_key, host_unreachable, host_not_allowed, host_key_changed, ssh_busy, too_many_logins, store_unavailable
   */
  login(request: LoginRequest): Promise<LoginResult>;
  /**
   * Makes sure that a session's credential has logged in to its host [SES-6]. Whoever asks first, anywhere in the cluster,
   * causes the one SSH login; all others wait for its outcome.
   * @throws AppError as `login`
   */
  prove(session: Session, clientAddress: string): Promise<void>;
}

export function createLogins(deps: {
  pool: Pick<SshPool, 'login'>;
  sessions: SessionStore & SessionProofs;
  limits: LoginLimits;
  /** Finds the address behind a host's name, for the limits. */
  targets: TargetPolicy;
  /** Told of every SSH login tried: null for a success, or the error's code. */
  onLogin?: (outcome: ErrorCode | null) => void;
  /** TIME_FLOOR, ms. */
  timeFloorMs?: number;
}): Logins {
  const { pool, sessions, limits, targets, onLogin, timeFloorMs = TIME_FLOOR } = deps;
  const proofs = new Map<string, Promise<void>>();

  /** One host has many names; where none of them resolves the login below says so. */
  async function addressOf({ host, port }: SshTarget): Promise<string> {
    try {
      return (await targets.resolve(host, port)).address;
    } catch {
      return normalizeHost(host)?.name ?? host;
    }
  }

  async function limitedLogin(target: SshTarget, clientAddress: string): Promise<HostKey & HostKeyVerdict> {
    const host = await addressOf(target);
    const { port, username } = target;
    const settle = await limits.begin({ clientAddress, host, port, username });
    let outcome: ErrorCode | null = 'internal';
    try {
      const hostKey = await pool.login(target);
      outcome = null;
      return hostKey;
    } catch (error) {
      outcome = toAppError(error).code;
      throw error;
    } finally {
      onLogin?.(outcome);
      await settle(outcome);
    }
  }

  async function proveInCluster(session: Session, clientAddress: string): Promise<void> {
    const deadline = steadyNow() + PROOF_WAIT;
    for (;;) {
      const state = await sessions.claimProof(session, PROOF_HOLD);
      if (state === 'proven') return;
      if (state === 'taken') break;
      if (state !== 'busy') throw new AppError(state.failed);
      if (steadyNow() > deadline) throw new AppError('ssh_busy');
      await sleep(PROOF_POLL * (0.5 + Math.random()));
    }
    try {
      await limitedLogin(session.target, clientAddress);
      await sessions.markProven(session);
    } catch (error) {
      const { code } = toAppError(error);
      const rememberMs = FAILURE_MEMORY[code];
      // Where even this fails the store is away, and the claim ends by itself.
      await sessions
        .failProof(session, rememberMs === undefined ? null : code, rememberMs ?? 0)
        .catch(() => undefined);
      throw error;
    }
  }

  return {
    async login({ target, clientAddress, demo, units }) {
      const started = performance.now();
      try {
        const hostKey = await limitedLogin(target, clientAddress);
        // A named key that is the pinned one says nothing more: such a session shares streams with all others.
        const { hostKey: _named, ...byPin } = target;
        const { token, session } = await sessions.create(hostKey.pinned ? byPin : target, {
          ...(demo === undefined ? {} : { demo }),
          ...(units === undefined ? {} : { units }),
        });
        await sessions.markProven(session);
        return { token, session, hostKey };
      } catch (error) {
        if (TIMED.includes(toAppError(error).code))
          await sleep(untilSlot(performance.now() - started, timeFloorMs));
        throw error;
      }
    },
    async prove(session, clientAddress) {
      const under = proofs.get(session.id);
      if (under !== undefined) return under;
      const proof = proveInCluster(session, clientAddress).finally(() => proofs.delete(session.id));
      proofs.set(session.id, proof);
      return proof;
    },
  };
}

/** Milliseconds from `elapsed` to the next multiple of `slot`, plus up to a tenth of a slot at random. */
function untilSlot(elapsed: number, slot: number): number {
  if (slot <= 0) return 0;
  return Math.max(1, Math.ceil(elapsed / slot)) * slot - elapsed + Math.random() * slot * TIME_JITTER;
}
