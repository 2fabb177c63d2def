/** Character tests and short walks over a line. Positions past the end give NaN, for which every test is false. */

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
export const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
export const isLower = (code: number): boolean => code >= 97 && code <= 122;
export const isWord = (code: number): boolean => isLetter(code) || isDigit(code) || code === 95;
export const isBlank = (code: number): boolean => code === 32 || code === 9;

export const SPACE = 32;
export const QUOTE = 34;
export const COMMA = 44;
export const COLON = 58;
export const EQUALS = 61;
export const BACKSLASH = 92;
export const PIPE = 124;
export const OPEN_SQUARE = 91;
export const CLOSE_SQUARE = 93;
export const OPEN_CURLY = 123;

/** Index of the first character at or after `pos` that is no space or tab. */
export function skipBlanks(text: string, pos: number): number {
  let at = pos;
  while (isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Index of the next space or tab at or after `pos`, or the end of the text. */
export function wordEnd(text: string, pos: number): number {
  let at = pos;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Index after the digits at `pos`. */
export function digitsEnd(text: string, pos: number): number {
  let at = pos;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** True if `text` is one or more digits. */
export function allDigits(text: string): boolean {
  return text.length > 0 && digitsEnd(text, 0) === text.length;
}
