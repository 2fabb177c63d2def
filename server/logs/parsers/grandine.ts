import { CLOSE_SQUARE, COLON, digitsEnd, OPEN_SQUARE, skipBlanks, wordEnd } from './chars.ts';
import { levelOf } from './level.ts';
import { stampAt } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine, type When } from './types.ts';

/** The text in the square brackets at `pos`, and the index behind them and the blanks after. */
function bracketAt(text: string, pos: number): { inner: string; end: number } | null {
  if (text.charCodeAt(pos) !== OPEN_SQUARE) return null;
  const close = text.indexOf(']', pos);
  return close < 0 ? null : { inner: text.slice(pos + 1, close), end: skipBlanks(text, close + 1) };
}

/** `[time]` at the start, if there is one, and the index behind it. */
function timeAt(text: string): { when: When; end: number } {
  const stamp = text.charCodeAt(0) === OPEN_SQUARE ? stampAt(text, 1) : null;
  const closed = stamp !== null && text.charCodeAt(stamp.end) === CLOSE_SQUARE;
  return closed ? { when: stamp, end: skipBlanks(text, stamp.end + 1) } : { when: NO_TIME, end: 0 };
}

/** ` peers=[n/m]` at the end of a message. */
function peersOf(text: string): { message: string; fields: Record<string, string> } {
  const at = text.lastIndexOf(' peers=[');
  if (at < 0 || text.indexOf(']', at) !== text.length - 1) return { message: text, fields: {} };
  return { message: text.slice(0, at), fields: { peers: text.slice(at + 7) } };
}

/** `[time] [LEVEL] [module] [peers: n/m] message` of grandine before 2.0. */
function parseBracketed(text: string, pos: number, when: When): ParsedLine | null {
  const level = bracketAt(text, pos);
  const known = level ? levelOf(level.inner.trim()) : null;
  const module = level && known !== null ? bracketAt(text, level.end) : null;
  if (module === null || module.inner.includes(' ')) return null;
  const peers = bracketAt(text, module.end);
  if (!peers?.inner.startsWith('peers: ')) return entry(known, when, module.inner, text.slice(module.end));
  return entry(known, when, module.inner, text.slice(peers.end), { peers: peers.inner.slice(7) });
}

/** `[time] LEVEL module::path:LINE: message peers=[n/m]` of grandine, also with the time cut off. */
export function parseGrandine({ text }: Line): ParsedLine | null {
  const { when, end } = timeAt(text);
  if (text.charCodeAt(end) === OPEN_SQUARE) return parseBracketed(text, end, when);
  const word = wordEnd(text, end);
  const level = levelOf(text.slice(end, word));
  if (level === null) return null;
  const from = skipBlanks(text, word);
  const path = wordEnd(text, from) - 1;
  if (text.charCodeAt(path) !== COLON) return null;
  const line = text.lastIndexOf(':', path - 1);
  if (line <= from || line + 1 === path || digitsEnd(text, line + 1) !== path) return null;
  const { message, fields } = peersOf(text.slice(path + 1));
  return entry(level, when, text.slice(from, line), message, { line: text.slice(line + 1, path), ...fields });
}
