import { AppError } from '../core/errors.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import { normalizeHost } from '../ssh/address.ts';
import type { HostKey, HostKeyPolicy } from '../ssh/types.ts';
import { createExpiringMap } from './expiring-map.ts';

/** A host's key as it was first seen. */
export interface HostKeyPin extends HostKey {
  /** ISO 8601 UTC. */
  firstSeen: string;
}

interface HostPort {
  host: string;
  port: number;
}

/** Where pins are kept. Atomic for the cluster; may throw AppError store_unavailable. */
export interface HostKeyPins {
  /** Keeps this pin if host:port has none. @returns the pin that holds, this one or the older */
  pin(at: HostPort, pin: HostKeyPin): Promise<HostKeyPin>;
}

/** A pin ends after this long without a login, ms: 400 days. Otherwise hosts long gone would fill the store for ever. */
const PIN_TTL = 400 * 86_400_000;
/** Pins of a process without Redis; each login makes at most one. */
const MAX_PINS = 100_000;

const PIN = `
local known = redis.call('GET', KEYS[1])
if known then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return known
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;

function isPin(value: unknown): value is HostKeyPin {
  const pin = value as Partial<HostKeyPin> | null;
  return (
    typeof pin?.algorithm === 'string' &&
    typeof pin.fingerprint === 'string' &&
    typeof pin.firstSeen === 'string'
  );
}

/** Pins of a cluster, in Redis. */
export function createRedisHostKeyPins(redis: RedisConnections): HostKeyPins {
  const pinScript = defineScript(redis, PIN);
  const name = ({ host, port }: HostPort): string => keys.hostKey(host, port);
  return {
    async pin(at, pin) {
      const known: unknown = JSON.parse(String(await pinScript([name(at)], [JSON.stringify(pin), PIN_TTL])));
      if (!isPin(known)) throw new Error('a host key pin in Redis is malformed');
      return known;
    },
  };
}

/** Pins of a process without Redis; they are gone with it. */
export function createMemoryHostKeyPins(now: () => number = steadyNow): HostKeyPins {
  const pins = createExpiringMap<HostKeyPin>({ max: MAX_PINS, now });
  const name = ({ host, port }: HostPort): string => keys.hostKey(host, port);
  return {
    async pin(at, pin) {
      const known = pins.get(name(at)) ?? pin;
      pins.set(name(at), known, PIN_TTL);
      return known;
    },
  };
}

/** `ssh-keygen -lf` prints no padding; other tools do. */
function normalizeFingerprint(text: string): string {
  return text.trim().replace(/=+$/, '');
}

/**
 * Accepts a host's key if it is the pinned one, or the first [SES-3]. A fingerprint that the user gives decides alone:
 * it must be the key's, and it decides for that login only. It replaces no pin, or whoever stands where the host was
 * could name a key of his own and be sent the passwords of all the others. A key of another algorithm than the
 * pinned one is a changed key, as otherwise that would be the way around the pin.
 */
export function createHostKeyPolicy(deps: { pins: HostKeyPins; now?: () => number }): HostKeyPolicy {
  const { pins, now = Date.now } = deps;
  return {
    async check({ host, port }, key, expected) {
      const at = { host: normalizeHost(host)?.name ?? host.toLowerCase(), port };
      const fingerprint = normalizeFingerprint(key.fingerprint);
      if (expected !== undefined && normalizeFingerprint(expected) !== fingerprint) {
        throw new AppError('host_key_changed');
      }
      const seen: HostKeyPin = {
        algorithm: key.algorithm,
        fingerprint,
        firstSeen: new Date(now()).toISOString(),
      };
      const pin = await pins.pin(at, seen);
      if (pin.fingerprint === fingerprint && pin.algorithm === key.algorithm)
        return { firstSeen: pin.firstSeen, pinned: true };
      if (expected === undefined) throw new AppError('host_key_changed');
      return { firstSeen: seen.firstSeen, pinned: false };
    },
  };
}
