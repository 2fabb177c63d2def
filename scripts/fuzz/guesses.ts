const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Random text of the characters that tokens are made of. */
export function randomText(length: number, below: (limit: number) => number): string {
  let text = '';
  for (let n = 0; n < length; n += 1) text += ALPHABET[below(ALPHABET.length)];
  return text;
}

/** One character of a text replaced by another one. */
function replaceOne(text: string, below: (limit: number) => number): string {
  const at = below(text.length);
  const other = [...ALPHABET].filter((one) => one !== text[at]);
  return text.slice(0, at) + other[below(other.length)] + text.slice(at + 1);
}

/** A secret that is wrong, mostly by little: what whoever knows something of the right one would try. */
export function guess(secret: string, below: (limit: number) => number): string {
  const length = secret.length;
  for (;;) {
    const known = below(length);
    const made = [
      () => replaceOne(secret, below),
      () => secret.slice(0, known) + randomText(length - known, below),
      () => randomText(length - known, below) + secret.slice(length - known),
      () => randomText(length, below),
      () => secret.slice(0, known + 1),
      () => secret.slice(known),
      () => secret + randomText(1 + below(4), below),
      () => secret.toUpperCase(),
      () => secret.toLowerCase(),
      () => secret.repeat(2),
    ][below(10)]?.();
    if (made !== undefined && made !== secret) return made;
  }
}
