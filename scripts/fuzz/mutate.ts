/** Bits of syntax that the formats give a meaning to. */
const SYNTAX = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '=',
  ':',
  ', ',
  '  ',
  ' | ',
  '\t',
  '::',
  '\u001b[',
  '\u202e',
  '\0',
  '#011',
  '%',
  ' k=',
  ', k: ',
  '\\u12',
  '::1',
  '\ud800',
  'é',
];

/** A pseudo-random number generator (mulberry32): numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Makes mutations of lines that can be repeated with the same seed: cuts, repeats, swaps, characters replaced, syntax
 * inserted, halves of two lines joined. One to four of them at a time.
 */
export function mutator(
  seed: number,
  syntax: readonly string[] = SYNTAX,
): (line: string, other: string) => string {
  const random = generator(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const once = (line: string, other: string): string => {
    const at = below(line.length + 1);
    const length = below(12);
    switch (below(7)) {
      case 0:
        return line.slice(0, at);
      case 1:
        return line.slice(0, at) + line.slice(at + length);
      case 2:
        return line.slice(0, at) + line.slice(at, at + length).repeat(1 + below(5)) + line.slice(at);
      case 3:
        return line.slice(0, at) + (syntax[below(syntax.length)] ?? '') + line.slice(at);
      case 4:
        return line.slice(0, at) + String.fromCharCode(below(0x250)) + line.slice(at + 1);
      case 5:
        return line.slice(0, at) + other.slice(below(other.length));
      default:
        return line.slice(at);
    }
  };
  return (line, other) => {
    let mutated = line;
    for (let count = 1 + below(4); count > 0; count--) mutated = once(mutated, other);
    return mutated;
  };
}
