/** A source of numbers in [0, 1), like Math.random. */
export type Random = () => number;

/** mulberry32: small, fast, the same sequence for the same seed. For looks only, never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `digits` random lower-case hexadecimal digits. */
export function hex(random: Random, digits: number): string {
  let text = '';
  while (text.length < digits) {
    text += Math.floor(random() * 4_294_967_296)
      .toString(16)
      .padStart(8, '0');
  }
  return text.slice(0, digits);
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** One of the items, all equally likely. */
export function pick<const L extends readonly [unknown, ...unknown[]]>(random: Random, items: L): L[number] {
  return items[Math.floor(random() * items.length)] ?? items[0];
}

/** True with probability `share`. */
export function chance(random: Random, share: number): boolean {
  return random() < share;
}
