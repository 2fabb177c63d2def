import { createHash } from 'node:crypto';
import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import { addressGroup } from '../core/client-address.ts';
import type { AppError } from '../core/errors.ts';
import { isDeeperThan, parseJson } from '../core/json.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { Logger } from '../core/types.ts';

/** Time for one answer of the service, in ms, its body included [WS-3]. */
const TIMEOUT_MS = 2000;
/**
 * Failures in a row after which the service is left alone: with requests one after the other that take the whole
 * time-out, it is after 4 s.
 */
const FAILURES_MAX = 2;
/** Rest of a service that failed, in ms; then one request tries it. */
const REST_MS = 2000;
/** Largest answer that is read, in bytes. */
const BODY_MAX = 64 * 1024;
/** Largest answer that is passed on to the client, in bytes of JSON, and its depth. */
const DATA_MAX = 16 * 1024;
const DATA_DEPTH_MAX = 8;
/** How long a no is remembered, in ms: a client that asks again at once costs the service nothing. */
const NO_MS = 5000;
/** Noes that are remembered. */
const NOES_MAX = 10_000;
/** Questions that may be open at a time, in all and for one client address: nobody takes the service for himself. */
const OPEN_MAX = 256;
const OPEN_PER_ADDRESS_MAX = 32;

/** The field of the service's answer that decides, and its one good value. */
const VERDICT = 'V2_Authentication';
const SUCCESS = 'success';
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

export interface KeyQuestion {
  serviceId: string;
  hwid: string;
  key: string;
}

export type KeyVerdict =
  | { success: true; data: Record<string, unknown> }
  | { success: false; reason: 'rejected' | 'unavailable'; data: Record<string, unknown> };

export interface KeyService {
  /** Asks whether a key is valid. Never fails: whatever goes wrong is a no. @param address of the client */
  ask(question: KeyQuestion, address: string): Promise<KeyVerdict>;
}

/** Why an answer of the service does not count; without anything that came from clients or from the service. */
class Unusable extends Error {}

const UNAVAILABLE: KeyVerdict = { success: false, reason: 'unavailable', data: {} };

/** Reads a body up to a bound. @throws Unusable */
async function readBody(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the rest.
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > BODY_MAX) throw new Unusable('answer too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** What of an answer a client may see: an object as it is where it is small and flat enough, else nothing. */
function presentable(answer: unknown): Record<string, unknown> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return {};
  const text = JSON.stringify(answer);
  if (Buffer.byteLength(text) > DATA_MAX || isDeeperThan(text, DATA_DEPTH_MAX)) return {};
  return JSON.parse(text, (name, value: unknown) => (name === '__proto__' ? undefined : value));
}

/** What an answer says. @throws Unusable where it says nothing */
async function judge(response: Response): Promise<KeyVerdict> {
  const { status } = response;
  // A service that refuses what a client made up says no; it is not broken, and nobody can make it look so.
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 429;
  if (status !== 200 && !refused) {
    await response.body?.cancel();
    throw new Unusable(`status ${status}`);
  }
  // Without a type the body says what it is (RFC 9110 section 8.3).
  const isJson = JSON_TYPE.test(response.headers.get('content-type') ?? 'application/json');
  if (!isJson) await response.body?.cancel();
  if (!isJson && !refused) throw new Unusable('not JSON');
  const body = isJson ? await readBody(response) : '{}';
  let answer: unknown;
  try {
    answer = parseJson(body);
  } catch (error) {
    if (!refused) throw new Unusable('malformed JSON', { cause: (error as AppError).code });
  }
  const data = presentable(answer);
  const says = typeof answer === 'object' && answer !== null && Object.hasOwn(answer, VERDICT);
  const success = !refused && says && (answer as Record<string, unknown>)[VERDICT] === SUCCESS;
  return success ? { success, data } : { success: false, reason: 'rejected', data };
}

/**
 * The service at `url` that knows which keys are valid [WS-3]. Fails closed: only what it clearly says itself, in time,
 * is a yes. While it is down a circuit breaker keeps questions from it. The same question is asked once at a time, and a
 * no is remembered for a moment. Keys are neither kept nor logged.
 */
export function createKeyService(deps: {
  url: string;
  logger: Logger;
  timeoutMs?: number;
  restMs?: number;
  now?: () => number;
}): KeyService {
  const { url, logger, timeoutMs = TIMEOUT_MS, restMs = REST_MS, now = steadyNow } = deps;
  /** By the hash of a question: until when its answer is no. In the order of the ends. */
  const noes = new Map<string, { until: number; verdict: KeyVerdict }>();
  const open = new Map<string, Promise<KeyVerdict>>();
  const openOf = new Map<string, number>();

  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: restMs,
    breaker: new ConsecutiveBreaker(FAILURES_MAX),
  });
  breaker.onBreak(() => logger.warn('key validation service failed; it is left alone for a while'));
  breaker.onReset(() => logger.info('key validation service answers again'));
  const policy = wrap(breaker, timeout(timeoutMs, TimeoutStrategy.Aggressive));

  async function fetchVerdict({ serviceId, hwid, key }: KeyQuestion): Promise<KeyVerdict> {
    const target = new URL(url);
    for (const [name, value] of Object.entries({ service: serviceId, hwid, key })) {
      target.searchParams.set(name, value);
    }
    try {
      return await policy.execute(async ({ signal }) =>
        judge(
          await fetch(target, {
            signal,
            // A redirect would take the key to somebody else.
            redirect: 'manual',
            headers: { accept: 'application/json', 'accept-encoding': 'identity' },
          }),
        ),
      );
    } catch (error) {
      // Texts of other errors could hold the address, and with it the key.
      const why = error instanceof Unusable ? error.message : error instanceof Error ? error.name : 'error';
      if (!(error instanceof BrokenCircuitError)) logger.info('key validation gave no answer', { why });
      return UNAVAILABLE;
    }
  }

  function remember(id: string, verdict: KeyVerdict): void {
    if (verdict.success || verdict.reason !== 'rejected') return;
    for (const [known, { until }] of noes) {
      if (until > now() && noes.size < NOES_MAX) break;
      noes.delete(known);
    }
    noes.delete(id);
    noes.set(id, { until: now() + NO_MS, verdict });
  }

  async function start(id: string, question: KeyQuestion, address: string): Promise<KeyVerdict> {
    openOf.set(address, (openOf.get(address) ?? 0) + 1);
    try {
      const verdict = await fetchVerdict(question);
      remember(id, verdict);
      return verdict;
    } finally {
      open.delete(id);
      const left = (openOf.get(address) ?? 1) - 1;
      if (left > 0) openOf.set(address, left);
      else openOf.delete(address);
    }
  }

  return {
    async ask(question, clientAddress) {
      const address = addressGroup(clientAddress);
      const parts = [question.serviceId, question.hwid, question.key];
      const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64');
      const known = noes.get(id);
      if (known && known.until > now()) return known.verdict;
      const running = open.get(id);
      if (running) return running;
      if (open.size >= OPEN_MAX || (openOf.get(address) ?? 0) >= OPEN_PER_ADDRESS_MAX) return UNAVAILABLE;
      const verdict = start(id, question, address);
      open.set(id, verdict);
      return verdict;
    },
  };
}

/** In the place of a service where none is configured: no key is valid. */
export const CLOSED_KEY_SERVICE: KeyService = { ask: async () => UNAVAILABLE };
