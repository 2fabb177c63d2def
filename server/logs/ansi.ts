/** Escape sequences of terminals (ECMA-48), and the characters that change how text around them is shown. */

const ESC = 0x1b;
const BEL = 0x07;
const C1_CSI = 0x9b;

/** Anything that may start an escape sequence. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const MAY_ESCAPE = /[\u001b\u0090\u0098\u009b\u009d-\u009f]/;

/** Control characters but tab and line feed, and the bidirectional overrides and isolates (Unicode UAX 9). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

/** The same for one character, by its code. */
function isUnsafeCode(code: number): boolean {
  const control = (code < 0x20 && code !== 9 && code !== 10) || (code >= 0x7f && code <= 0x9f);
  return control || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/** Index after a CSI sequence whose parameters start at `pos`. */
function csiEnd(text: string, pos: number): number {
  let at = pos;
  while (text.charCodeAt(at) >= 0x20 && text.charCodeAt(at) <= 0x3f) at++;
  const final = text.charCodeAt(at);
  return final >= 0x40 && final <= 0x7e ? at + 1 : at;
}

/** Index after a string sequence (OSC, DCS, ...) whose text starts at `pos`, or -1 if it never ends. */
function stringEnd(text: string, pos: number): number {
  for (let at = pos; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BEL || code === 0x9c) return at + 1;
    if (code === ESC && text.charCodeAt(at + 1) === 0x5c) return at + 2;
  }
  return -1;
}

/**
 * The text without escape sequences: CSI (colours, cursor), OSC, DCS, SOS, PM and APC strings, and the two-character
 * ones, in their 7-bit and 8-bit (C1) forms. Of an unfinished sequence only what belongs to it is removed. Linear time.
 */
export function stripAnsi(text: string): string {
  if (!MAY_ESCAPE.test(text)) return text;
  const kept: string[] = [];
  let from = 0;
  let stringsEnd = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== ESC && (code < 0x90 || code > 0x9f)) continue;
    // The 8-bit controls are ESC and the same letter in one character (ECMA-48 section 5.3).
    const escaped = code === ESC;
    const kind = escaped ? text.charCodeAt(at + 1) : code - 0x40;
    const body = escaped ? at + 2 : at + 1;
    let end: number;
    if (code === C1_CSI || kind === 0x5b) end = csiEnd(text, body);
    else if (kind === 0x50 || kind === 0x58 || (kind >= 0x5d && kind <= 0x5f)) {
      const close: number = stringsEnd ? stringEnd(text, body) : -1;
      stringsEnd = close >= 0;
      end = close >= 0 ? close : body;
    } else if (!escaped) continue;
    else {
      let last = at + 1;
      while (text.charCodeAt(last) >= 0x20 && text.charCodeAt(last) <= 0x2f) last++;
      const final = text.charCodeAt(last);
      end = final >= 0x30 && final <= 0x7e ? last + 1 : last;
    }
    kept.push(text.slice(from, at));
    from = end;
    at = end - 1;
  }
  kept.push(text.slice(from));
  return kept.join('');
}

/** What stands for a character in sanitized text, as character codes: a control picture, or `<U+202E>`. */
function visible(code: number): number[] {
  if (code < 0x20) return [0x2400 + code];
  if (code === 0x7f) return [0x2421];
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return Array.from(`<U+${hex}>`, (char) => char.charCodeAt(0));
}

const VISIBLE: ReadonlyMap<number, Uint16Array> = new Map(
  Array.from({ length: 0x206a }, (_, code) => code)
    .filter(isUnsafeCode)
    .map((code) => [code, Uint16Array.from(visible(code))]),
);

/** Longest stand-in, in characters. */
const VISIBLE_MAX = 8;

/** True if the text holds anything that `sanitize` would change. */
export function isUnsafe(text: string): boolean {
  return UNSAFE.test(text);
}

/**
 * The text without escape sequences and with everything that could act on a viewer or terminal made visible: control
 * characters as control pictures (U+2400..), C1 controls, line separators and bidirectional overrides as `<U+202E>`.
 * Tab, line feed and a carriage return before a line feed stay. Linear time.
 */
export function sanitize(text: string): string {
  if (!isUnsafe(text)) return text;
  const bare = stripAnsi(text);
  // Codes in one buffer: a line of nothing but control characters would make a million strings otherwise.
  const out = new Uint16Array(bare.length * VISIBLE_MAX);
  let length = 0;
  for (let at = 0; at < bare.length; at++) {
    const code = bare.charCodeAt(at);
    const shown = code === 13 && bare.charCodeAt(at + 1) === 10 ? undefined : VISIBLE.get(code);
    if (shown === undefined) out[length++] = code;
    else {
      out.set(shown, length);
      length += shown.length;
    }
  }
  return Buffer.from(out.buffer, 0, length * 2).toString('utf16le');
}

/** Everything in UNSAFE that JSON leaves as it is (RFC 8259 section 7 only asks for the codes below 0x20), global. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A JSON text in which no character acts on a terminal or reorders text: the same value, with more `\u` escapes. */
export function escapeUnsafe(json: string): string {
  return json.replace(UNSAFE_IN_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
