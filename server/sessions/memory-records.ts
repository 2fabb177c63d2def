import type { SessionEndReason } from '../../shared/events.ts';
import { createExpiringMap } from './expiring-map.ts';
import { formatProof, type ProofRecord, parseProof, type SessionRecords } from './records.ts';

/** Sessions, and as many ends and proofs, that one process without Redis keeps. */
const MAX_SESSIONS = 100_000;

/** The records of a single instance. No original app can write here, so plain sessions do not occur. */
export function createMemorySessionRecords(now: () => number): SessionRecords {
  const sessions = createExpiringMap<string>({ max: MAX_SESSIONS, now });
  const ends = createExpiringMap<SessionEndReason>({ max: MAX_SESSIONS, now });
  const proofs = createExpiringMap<string>({ max: MAX_SESSIONS, now });

  function readProof(id: string, marks: readonly string[]): ProofRecord | null {
    const text = proofs.get(id);
    const proof = text === undefined ? null : parseProof(text);
    return proof !== null && marks.includes(proof.mark) ? proof.record : null;
  }

  return {
    async find({ id }) {
      return {
        ended: ends.get(id) !== undefined,
        sealed: sessions.get(id) ?? null,
        plain: null,
        seenAt: null,
      };
    },
    async put({ id }, sealed, ttlMs) {
      if (ends.get(id) !== undefined) return false;
      sessions.set(id, sealed, ttlMs);
      return true;
    },
    async replacePlain() {
      return false;
    },
    async renew({ id }, ttlMs) {
      if (ends.get(id) !== undefined) return { state: 'ended' };
      const sealed = sessions.get(id);
      if (sealed === undefined) return { state: 'lost' };
      sessions.set(id, sealed, ttlMs);
      return { state: 'sealed' };
    },
    async end({ id }, reason, rememberMs) {
      if (ends.get(id) === undefined) ends.set(id, reason, rememberMs);
      proofs.delete(id);
      return sessions.delete(id);
    },
    async fates(refs) {
      return refs.map(({ id }) => ends.get(id) ?? (sessions.get(id) === undefined ? 'lost' : 'alive'));
    },
    async claimProof(id, marks, holdMs) {
      const known = readProof(id, marks);
      if (known !== null) return known;
      proofs.set(id, formatProof(marks[0] ?? '', 'busy'), holdMs);
      return 'taken';
    },
    async readProof(id, marks) {
      return readProof(id, marks);
    },
    async writeProof(id, mark, outcome, rememberMs) {
      if (outcome === null) proofs.delete(id);
      else proofs.set(id, formatProof(mark, outcome), rememberMs);
    },
    async stop() {},
  };
}
