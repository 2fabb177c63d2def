/** Entries looked at for expiry by each write, so that a map that nobody reads shrinks too. */
const SWEEP = 20;

export interface ExpiringMap<V> {
  get(key: string): V | undefined;
  /** Milliseconds left; 0 where there is no entry. */
  ttl(key: string): number;
  set(key: string, value: V, ttlMs: number): void;
  delete(key: string): boolean;
  readonly size: number;
}

/**
 * A map whose entries end by themselves: the memory twin of Redis keys with a TTL. Bounded: beyond `max` entries the one
 * written longest ago goes.
 */
export function createExpiringMap<V>(options: { max: number; now: () => number }): ExpiringMap<V> {
  const { max, now } = options;
  const entries = new Map<string, { value: V; until: number }>();

  function live(key: string): { value: V; until: number } | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.until > now()) return entry;
    entries.delete(key);
    return undefined;
  }

  return {
    get: (key) => live(key)?.value,
    ttl: (key) => Math.max(0, (live(key)?.until ?? 0) - now()),
    set(key, value, ttlMs) {
      entries.delete(key);
      const oldest = [...firstKeys(entries, SWEEP)];
      for (const candidate of oldest) live(candidate);
      if (entries.size >= max && oldest[0] !== undefined) entries.delete(oldest[0]);
      entries.set(key, { value, until: now() + ttlMs });
    },
    delete: (key) => live(key) !== undefined && entries.delete(key),
    get size() {
      return entries.size;
    },
  };
}

function* firstKeys(entries: Map<string, unknown>, count: number): Generator<string> {
  let left = count;
  for (const key of entries.keys()) {
    if (left-- <= 0) return;
    yield key;
  }
}
