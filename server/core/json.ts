import { AppError } from './errors.ts';

/** Deepest nesting accepted from clients. Code that walks a value recursively is safe below it (ASVS 5.0 1.3.12). */
export const JSON_DEPTH_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether arrays and objects in a JSON text nest deeper than `max`; linear, without parsing it. */
export function isDeeperThan(text: string, max: number): boolean {
  // Each level needs an opening and, in valid JSON, a closing character.
  if (text.length < 2 * max) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfString(text, at + 1);
    } else if (char === 0x7b || char === 0x5b) {
      depth += 1;
      if (depth > max) return true;
    } else if (char === 0x7d || char === 0x5d) depth -= 1;
  }
  return false;
}

/** Where the string that begins at `from` has its closing quote; the text's end where it has none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (before > from && text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    // An even number of backslashes escape each other, an odd one leaves one for the quote.
    if ((at - before) % 2 === 0) return at;
  }
  return text.length;
}

/** Parses JSON of a client. @throws AppError invalid_json: not JSON, or nested deeper than JSON_DEPTH_MAX */
export function parseJson(text: string): unknown {
  if (isDeeperThan(text, JSON_DEPTH_MAX)) throw new AppError('invalid_json', { detail: 'nested too deeply' });
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AppError('invalid_json');
  }
}
