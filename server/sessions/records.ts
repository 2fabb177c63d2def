import type { ErrorCode } from '../../shared/errors.ts';
import type { SessionEndReason } from '../../shared/events.ts';
import type { Stoppable } from '../core/types.ts';
import type { SessionFate } from './types.ts';

/** Names a session to the records: the token is needed because the originals' keys hold it. */
export interface SessionRef {
  id: string;
  token: string;
}

/** What is kept under a session's names at one moment. */
export interface FoundSession {
  ended: boolean;
  sealed: string | null;
  /** The JSON of an original app. */
  plain: string | null;
  /** Epoch ms when Tailwire first saw the plain session. */
  seenAt: number | null;
}

export type Renewal =
  | { state: 'sealed' }
  /** A plain session lives on for `ttlMs` and was first seen at `seenAt`. */
  | { state: 'plain'; ttlMs: number; seenAt: number }
  | { state: 'ended' }
  /** Nothing is known of it: never was, ran out, or the store lost it. */
  | { state: 'lost' };

/** `taken`: now the caller's to prove. `busy`: someone else is at it. */
export type ProofRecord = 'taken' | 'busy' | 'proven' | { failed: ErrorCode };

/**
 * The storage under the session store: each operation is atomic for the whole cluster. It keeps sealed texts and
 * original JSON and knows nothing of keys or credentials. Every operation may throw AppError store_unavailable.
 */
export interface SessionRecords extends Stoppable {
  find(ref: SessionRef): Promise<FoundSession>;
  /** Keeps a sealed session for `ttlMs`. @returns false where it was ended before */
  put(ref: SessionRef, sealed: string, ttlMs: number): Promise<boolean>;
  /** Replaces exactly this plain session by a sealed one. @returns false where something else is there by now */
  replacePlain(ref: SessionRef, plain: string, sealed: string, ttlMs: number): Promise<boolean>;
  /**
   * Moves the end of whatever form is there. A plain session is never shortened; `seenAt` is remembered beside it for
   * `rememberMs` where nothing is yet. If that memory is there and the session is not, its app has deleted it: that ends it.
   */
  renew(ref: SessionRef, ttlMs: number, seenAt: number, rememberMs: number): Promise<Renewal>;
  /** Deletes every form and leaves a mark for `rememberMs` against putting it back. @returns whether it existed */
  end(ref: SessionRef, reason: SessionEndReason, rememberMs: number): Promise<boolean>;
  /** What has become of sessions, in the order asked; any number. */
  fates(refs: readonly SessionRef[]): Promise<SessionFate[]>;
  /** Reads the proof if it was made for one of `marks`; otherwise takes it for `holdMs` under the first. */
  claimProof(id: string, marks: readonly string[], holdMs: number): Promise<ProofRecord>;
  /** Reads the proof without taking it; null where there is none for these marks. */
  readProof(id: string, marks: readonly string[]): Promise<ProofRecord | null>;
  /** Writes the outcome; null withdraws a claim. */
  writeProof(
    id: string,
    mark: string,
    outcome: 'proven' | { failed: ErrorCode } | null,
    rememberMs: number,
  ): Promise<void>;
}

/** How a proof is written down: the mark, then its state. Marks are base64url, so `:` cannot occur in them. */
export function formatProof(mark: string, state: 'busy' | 'proven' | { failed: ErrorCode }): string {
  return `${mark}:${typeof state === 'string' ? state : `failed:${state.failed}`}`;
}

/** Reads what `formatProof` wrote. */
export function parseProof(text: string): { mark: string; record: ProofRecord } {
  const [mark = '', state, code] = text.split(':');
  if (state === 'failed') return { mark, record: { failed: code as ErrorCode } };
  return { mark, record: state === 'proven' ? 'proven' : 'busy' };
}
