import type { ErrorCode } from '../../shared/errors.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import type { SshTarget } from '../ssh/types.ts';
import { createMemorySessionRecords } from './memory-records.ts';
import { formatPayload, parsePayload, parsePlainSession, type SessionPayload } from './payload.ts';
import type { FoundSession, ProofRecord, SessionRecords, SessionRef } from './records.ts';
import { createRedisSessionRecords } from './redis-records.ts';
import { createSealer } from './seal.ts';
import { isToken, newToken, tokenId } from './token.ts';
import type { Session, SessionEndReason, SessionFates, SessionProofs, SessionStore } from './types.ts';

/** `SESSION_TTL`: what the original app gives its sessions. */
export const SESSION_TTL_MS = 10_200_000;
/** `SESSION_MAX_AGE`: one day. */
export const SESSION_MAX_AGE_MS = 86_400_000;
/** Marks outlive what they are about by this, ms, so that clocks of two instances may differ. */
const SLACK = 600_000;

export interface SessionStoreOptions {
  /** SESSION_SECRET, newest first. */
  secrets: readonly string[];
  /** Sliding end, ms; SESSION_TTL_MS. */
  ttlMs?: number;
  /** Absolute end, ms; SESSION_MAX_AGE_MS. */
  maxAgeMs?: number;
  /** True: a plain session is replaced by a sealed one at its first use. */
  sealPlain?: boolean;
  /** Epoch ms. */
  now?: () => number;
}

export type FullSessionStore = SessionStore & SessionFates & SessionProofs;

/** The session store of a process without Redis. */
export function createMemorySessionStore(options: SessionStoreOptions): FullSessionStore {
  return createSessionStore(createMemorySessionRecords(options.now ?? steadyNow), options);
}

/** The session store of a cluster [SES-1]. Does not stop `redis`. */
export function createRedisSessionStore(
  options: SessionStoreOptions & { redis: RedisConnections },
): FullSessionStore {
  return createSessionStore(createRedisSessionRecords(options.redis), options);
}

function createSessionStore(records: SessionRecords, options: SessionStoreOptions): FullSessionStore {
  const {
    ttlMs = SESSION_TTL_MS,
    maxAgeMs = SESSION_MAX_AGE_MS,
    sealPlain = false,
    now = Date.now,
  } = options;
  const sealer = createSealer(options.secrets);

  function toSession(id: string, payload: SessionPayload, expiresAt: number): Session {
    return {
      id,
      target: payload.target,
      demo: payload.demo,
      ...(payload.units === undefined ? {} : { units: payload.units }),
      createdAt: payload.createdAt,
      expiresAt,
    };
  }

  function seal(token: string, { target, demo, units, createdAt }: SessionPayload): string {
    return sealer.seal(
      formatPayload({ target, demo, ...(units === undefined ? {} : { units }), createdAt }),
      token,
    );
  }

  /** Milliseconds a session of that age may have from now; 0 or less where it is over. */
  function ttlOf(createdAt: number): number {
    return Math.min(ttlMs, createdAt + maxAgeMs - now());
  }

  function open(
    found: FoundSession,
    token: string,
  ): { payload: SessionPayload; plain: string | null } | null {
    if (found.ended) return null;
    if (found.sealed !== null) {
      const text = sealer.open(found.sealed, token);
      const payload = text === null ? null : parsePayload(text);
      return payload === null ? null : { payload, plain: null };
    }
    const payload = found.plain === null ? null : parsePlainSession(found.plain, now());
    if (payload === null) return null;
    const createdAt = Math.min(payload.createdAt, found.seenAt ?? payload.createdAt);
    return { payload: { ...payload, createdAt }, plain: found.plain };
  }

  async function end(ref: SessionRef, reason: SessionEndReason): Promise<boolean> {
    return records.end(ref, reason, maxAgeMs + SLACK);
  }

  /** One look-up; 'again' where another instance changed the session's form meanwhile. */
  async function look(ref: SessionRef): Promise<Session | null | 'again'> {
    const opened = open(await records.find(ref), ref.token);
    if (opened === null) return null;
    const { payload, plain } = opened;
    const left = ttlOf(payload.createdAt);
    if (left <= 0) {
      await end(ref, 'expired');
      return null;
    }
    if (plain !== null && sealPlain) {
      const done = await records.replacePlain(ref, plain, seal(ref.token, payload), left);
      return done ? toSession(ref.id, payload, now() + left) : 'again';
    }
    const renewal = await records.renew(ref, left, payload.createdAt, maxAgeMs + SLACK);
    if (renewal.state === 'plain') {
      // Another instance may have seen it earlier, or its app may have given it longer than we do.
      const createdAt = Math.min(payload.createdAt, renewal.seenAt);
      const expiresAt = Math.min(now() + renewal.ttlMs, createdAt + maxAgeMs);
      return expiresAt <= now() ? 'again' : toSession(ref.id, { ...payload, createdAt }, expiresAt);
    }
    return renewal.state === 'sealed' ? toSession(ref.id, payload, now() + left) : null;
  }

  /** Binds a proof to the credential it was made with: a plain session's JSON may be rewritten by its app [LOG-6]. */
  function marksOf({ target }: Session): string[] {
    return sealer.fingerprints(
      JSON.stringify([target.host, target.port, target.username, Object.entries(target.credential)]),
    );
  }

  function proofTtl(session: Session): number {
    return Math.max(1, session.createdAt + maxAgeMs + SLACK - now());
  }

  return {
    async create(target: SshTarget, extra = {}) {
      const token = newToken();
      const id = tokenId(token);
      const payload: SessionPayload = {
        target,
        demo: extra.demo ?? false,
        ...(extra.units === undefined ? {} : { units: extra.units }),
        createdAt: now(),
      };
      const left = ttlOf(payload.createdAt);
      await records.put({ id, token }, seal(token, payload), left);
      return { token, session: toSession(id, payload, payload.createdAt + left) };
    },
    async get(token) {
      if (!isToken(token)) return null;
      const ref = { id: tokenId(token), token };
      const first = await look(ref);
      const session = first === 'again' ? await look(ref) : first;
      return session === 'again' ? null : session;
    },
    async touch(token, session) {
      if (!isToken(token) || tokenId(token) !== session.id) return null;
      const ref = { id: session.id, token };
      const left = ttlOf(session.createdAt);
      if (left <= 0) {
        await end(ref, 'expired');
        return null;
      }
      const renewal = await records.renew(ref, left, session.createdAt, maxAgeMs + SLACK);
      if (renewal.state === 'ended') return null;
      if (renewal.state === 'lost' && !(await records.put(ref, seal(token, session), left))) return null;
      const slidTo = now() + (renewal.state === 'plain' ? renewal.ttlMs : left);
      return Math.min(slidTo, session.createdAt + maxAgeMs);
    },
    async revoke(token, reason: SessionEndReason = 'logout') {
      return isToken(token) && end({ id: tokenId(token), token }, reason);
    },
    async fates(tokens) {
      const known = tokens.filter(isToken).map((token) => ({ id: tokenId(token), token }));
      const fates = (await records.fates(known))[Symbol.iterator]();
      return tokens.map((token) => (isToken(token) ? (fates.next().value ?? 'lost') : 'lost'));
    },
    async markProven(session) {
      const [mark = ''] = marksOf(session);
      await records.writeProof(session.id, mark, 'proven', proofTtl(session));
    },
    async isProven(session) {
      return (await records.readProof(session.id, marksOf(session))) === 'proven';
    },
    claimProof: (session, holdMs): Promise<ProofRecord> =>
      records.claimProof(session.id, marksOf(session), holdMs),
    async failProof(session, code: ErrorCode | null, rememberMs) {
      const [mark = ''] = marksOf(session);
      await records.writeProof(session.id, mark, code === null ? null : { failed: code }, rememberMs);
    },
    stop: () => records.stop(),
  };
}
