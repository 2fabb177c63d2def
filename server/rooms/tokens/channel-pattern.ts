/** Longest pattern, in characters. */
export const PATTERN_MAX = 200;

/**
 * Whether a name matches a pattern in which `*` stands for any run of characters, dots included. In time proportional to
 * both lengths at worst, without a regular expression: the text comes from a token.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let inName = 0;
  let star = -1;
  let resume = 0;
  while (inName < name.length) {
    if (pattern[at] === '*') {
      star = at;
      at += 1;
      resume = inName;
    } else if (pattern[at] === name[inName]) {
      at += 1;
      inName += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      at = star + 1;
      resume += 1;
      inName = resume;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
