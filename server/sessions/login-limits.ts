import type { ErrorCode } from '../../shared/errors.ts';
import { addressGroup } from '../core/client-address.ts';
import { AppError } from '../core/errors.ts';
import { sleep } from '../core/sleep.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { createExpiringMap, type ExpiringMap } from './expiring-map.ts';
import { type BudgetAnswer, createFailureBudget } from './failure-budget.ts';
import { createMemoryPenaltyClock, createRedisPenaltyClock, type PenaltyClock } from './penalty-clock.ts';

/**
 * Failed logins are limited three ways [SES-5]; successes cost nothing.
 *
 * - Per client address (IPv6: its /64): 10 wrong passwords, or 30 hosts that cannot be reached, in 15 minutes. This is
 *   the limit that stops an attacker, and it touches nobody else.
 * - Per target host: as many as its sshd forgives. OpenSSH 9.8 and later blocks a source after about 15 s worth of
 *   penalties, 5 s for each failed login (sshd_config(5), PerSourcePenalties), and to sshd all users of this gateway are
 *   one source. So at most two fail at once, then one every 5 s. That never locks a host: whoever comes waits seconds.
 * - Per user name over all hosts: 20 in 5 minutes, against one name tried on many hosts from many addresses.
 *
 * So that an attacker with many addresses cannot use the last two to keep others out, they do not apply to an address
 * that has logged in to that account in the last 30 days and not failed since (the idea of OWASP's device cookies).
 */
const ADDRESS_POINTS = 30;
const ADDRESS_WINDOW_S = 900;
const USER_POINTS = 20;
const USER_WINDOW_S = 300;
/** sshd blocks at 15 s; the second less is for the ways there and back. */
const HOST_DEBT_MAX = 14_000;
/** Penalties of sshd_config(5), ms: authfail, and noauth for a connection that went away before it tried. */
const AUTHFAIL_DEBT = 5000;
const NOAUTH_DEBT = 1000;
/** How long a login from somewhere is remembered, ms: 30 days. */
const KNOWN_TTL = 30 * 86_400_000;
const MAX_KNOWN = 100_000;
/** An attempt waits this long at most for its turn, ms, looking this often; so many of one instance may wait at once. */
const WAIT_MAX = 8000;
const WAIT_STEP = 250;
const MAX_WAITING = 200;

/** What an attempt that ended with this code costs: points of the address, of the user name, and ms of the host. */
const COSTS: Partial<Record<ErrorCode, { address: number; user: number; debtMs: number }>> = {
  auth_failed: { address: 3, user: 1, debtMs: AUTHFAIL_DEBT },
  host_unreachable: { address: 1, user: 0, debtMs: 0 },
  host_key_changed: { address: 1, user: 0, debtMs: NOAUTH_DEBT },
};
const NOTHING = { address: 0, user: 0, debtMs: 0 };

export interface LoginAttempt {
  clientAddress: string;
  /** The target's address where it is known, else its name: one host has many names. */
  host: string;
  port: number;
  username: string;
}

export interface LoginLimits {
  /**
   * Asks for one attempt, waiting up to 8 s for its turn.
   * @returns a function to call once with the outcome: null for a success, or the error's code
   * @throws AppError too_many_logins with retryAfterMs
   */
  begin(attempt: LoginAttempt): Promise<(outcome: ErrorCode | null) => Promise<void>>;
}

/** Counts across all instances with `redis`, otherwise, and while Redis is away, for this instance alone. */
export function createLoginLimits(options: { redis?: RedisConnections } = {}): LoginLimits {
  const { redis } = options;
  const shared = redis === undefined ? {} : { redis };
  const addresses = createFailureBudget({ points: ADDRESS_POINTS, durationS: ADDRESS_WINDOW_S, ...shared });
  const users = createFailureBudget({ points: USER_POINTS, durationS: USER_WINDOW_S, ...shared });
  const memoryHosts = createMemoryPenaltyClock();
  const hosts = redis === undefined ? memoryHosts : withInsurance(redis, memoryHosts);
  const known = createKnownLogins(redis);
  let waiting = 0;

  /** Repeats `take` as long as only others' attempts or a few seconds stand in the way. */
  async function takeTurn(take: () => Promise<BudgetAnswer>): Promise<void> {
    const deadline = steadyNow() + WAIT_MAX;
    for (;;) {
      const answer = await take();
      if (answer.ok) return;
      const left = deadline - steadyNow();
      const waitMs = answer.busy ? WAIT_STEP : answer.retryMs;
      if (waitMs > left || waiting >= MAX_WAITING) {
        throw new AppError('too_many_logins', { retryAfterMs: answer.retryMs });
      }
      waiting += 1;
      // The random part keeps those who wait for the same turn apart.
      await sleep(Math.min(left, waitMs + Math.random() * WAIT_STEP));
      waiting -= 1;
    }
  }

  return {
    async begin(attempt) {
      const addressKey = keys.loginLimit('address', addressGroup(attempt.clientAddress));
      const userKey = keys.loginLimit('user', attempt.username);
      const hostKey = keys.loginLimit('host', `${attempt.host} ${attempt.port}`);
      const knownKey = keys.loginLimit('known', JSON.stringify([addressKey, hostKey, userKey]));
      const isKnown = await known.has(knownKey);
      // Many sessions of one user at one place are nothing unusual, so that these may come more at a time.
      const addressTaken = isKnown ? 1 : 3;
      const undo: (() => Promise<void>)[] = [];
      try {
        await takeTurn(() => addresses.take(addressKey, addressTaken));
        undo.push(() => addresses.settle(addressKey, addressTaken, 0));
        if (!isKnown) {
          await takeTurn(() => users.take(userKey, 1));
          undo.push(() => users.settle(userKey, 1, 0));
          await takeTurn(() => chargeHost(hosts, hostKey));
        }
      } catch (error) {
        for (const step of undo) await step();
        throw error;
      }

      const charged = steadyNow();
      return async (outcome) => {
        const cost = outcome === null ? NOTHING : (COSTS[outcome] ?? NOTHING);
        // sshd's clock starts at the failure, ours started before the attempt.
        const late = cost.debtMs > 0 ? steadyNow() - charged : 0;
        await Promise.all([
          addresses.settle(addressKey, addressTaken, cost.address),
          isKnown ? users.settle(userKey, 0, cost.user) : users.settle(userKey, 1, cost.user),
          hosts.adjust(hostKey, cost.debtMs + late - (isKnown ? 0 : AUTHFAIL_DEBT), HOST_DEBT_MAX),
          outcome === null && known.add(knownKey),
          outcome === 'auth_failed' && known.forget(knownKey),
        ]);
      };
    },
  };
}

async function chargeHost(hosts: PenaltyClock, key: string): Promise<BudgetAnswer> {
  const retryMs = await hosts.charge(key, AUTHFAIL_DEBT, HOST_DEBT_MAX);
  return retryMs === 0 ? { ok: true } : { ok: false, retryMs, busy: false };
}

/** Uses Redis where it is there, and does not make everyone wait to find out that it is not. */
async function ifThere<T>(
  redis: RedisConnections,
  work: () => Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T> {
  if (!redis.isUp()) return otherwise();
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'store_unavailable')) throw error;
    return otherwise();
  }
}

function withInsurance(redis: RedisConnections, insurance: PenaltyClock): PenaltyClock {
  const main = createRedisPenaltyClock(redis);
  return {
    charge: (...args) =>
      ifThere(
        redis,
        () => main.charge(...args),
        () => insurance.charge(...args),
      ),
    adjust: (...args) =>
      ifThere(
        redis,
        () => main.adjust(...args),
        () => insurance.adjust(...args),
      ),
  };
}

interface KnownLogins {
  has(key: string): Promise<boolean>;
  add(key: string): Promise<void>;
  forget(key: string): Promise<void>;
}

/** Who has logged in where. While Redis is away nobody is known, and what happens then is not remembered. */
function createKnownLogins(redis: RedisConnections | undefined): KnownLogins {
  if (redis === undefined) {
    const known: ExpiringMap<true> = createExpiringMap({ max: MAX_KNOWN, now: steadyNow });
    return {
      has: async (key) => known.get(key) === true,
      add: async (key) => known.set(key, true, KNOWN_TTL),
      forget: async (key) => void known.delete(key),
    };
  }
  const nothing = async (): Promise<void> => undefined;
  return {
    has: (key) =>
      ifThere(
        redis,
        () => redis.run(async (client) => (await client.exists(key)) === 1),
        async () => false,
      ),
    add: (key) =>
      ifThere(
        redis,
        () => redis.run(async (client) => void (await client.set(key, '', 'PX', KNOWN_TTL))),
        nothing,
      ),
    forget: (key) => ifThere(redis, () => redis.run(async (client) => void (await client.del(key))), nothing),
  };
}
