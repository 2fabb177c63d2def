/** Longest command accepted, in characters; the longest one a gateway sends names 256 units of 255 characters. */
export const COMMAND_MAX = 131_072;

/** Characters that a POSIX shell acts upon (XCU 2.2); the demo node has no shell, so unquoted they are refused. */
const OPERATORS = new Set('|&;<>()$`*?[#~\n');
const BLANKS = new Set(' \t');

/**
 * Splits a command into words by the quoting rules of a POSIX shell (XCU 2.2): `'...'` as it stands, `"..."` with
 * backslash escapes, backslash outside. Nothing is expanded.
 *
 * @returns the words; null where the text needs a real shell: operators, expansions, an open quote, too long
 */
export function splitWords(text: string): string[] | null {
  if (text.length > COMMAND_MAX || text.includes('\0')) return null;
  const words: string[] = [];
  let word: string | null = null;
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at++);
    if (BLANKS.has(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === "'") {
      const end = text.indexOf("'", at);
      if (end < 0) return null;
      word = (word ?? '') + text.slice(at, end);
      at = end + 1;
    } else if (char === '"') {
      const quoted = readDoubleQuoted(text, at);
      if (quoted === null) return null;
      word = (word ?? '') + quoted.value;
      at = quoted.end;
    } else if (char === '\\') {
      if (at === text.length) return null;
      word = (word ?? '') + text.charAt(at++);
    } else if (OPERATORS.has(char)) {
      return null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

function readDoubleQuoted(text: string, start: number): { value: string; end: number } | null {
  let value = '';
  for (let at = start; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') return { value, end: at + 1 };
    if (char === '$' || char === '`') return null;
    if (char === '\\' && '$`"\\'.includes(text.charAt(at + 1)) && at + 1 < text.length)
      value += text.charAt(++at);
    else value += char;
  }
  return null;
}
