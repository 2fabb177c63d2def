import {
  CLOSE_SQUARE,
  COLON,
  digitsEnd,
  isBlank,
  isDigit,
  isLetter,
  isLower,
  isWord,
  PIPE,
  SPACE,
  skipBlanks,
} from './chars.ts';
import { levelOf } from './level.ts';
import { stampAt } from './time.ts';
import { NO_TIME, type When } from './types.ts';

/** What stood in front of the service's own line. */
export interface Prefix {
  /** Index at which the service's own text starts. */
  end: number;
  /** The outer timestamp. */
  when: When;
  /** The syslog identifier without its pid, or ''. */
  ident: string;
}

/** Longest host, identifier or container name, in characters. */
const NAME_MAX = 128;

/** `ident[pid]:` or, with `bare`, also `ident:` at `pos`; the index after it and one space, or null. */
function identAt(text: string, pos: number, bare: boolean): { end: number; ident: string } | null {
  const limit = Math.min(text.length, pos + NAME_MAX);
  let at = pos;
  while (at < limit && !isBlank(text.charCodeAt(at))) at++;
  if (at - pos < 2 || text.charCodeAt(at - 1) !== COLON) return null;
  if (at < text.length && !isBlank(text.charCodeAt(at))) return null;
  const end = Math.min(at + 1, text.length);
  if (text.charCodeAt(at - 2) !== CLOSE_SQUARE) {
    return bare ? { end, ident: text.slice(pos, at - 1) } : null;
  }
  const open = text.lastIndexOf('[', at - 2);
  if (open <= pos || open + 1 === at - 2 || digitsEnd(text, open + 1) !== at - 2) return null;
  return { end, ident: text.slice(pos, open) };
}

/** `Mon DD HH:MM:SS [host] ident[pid]: ` or, as journalctl and rsyslog can print it too, with an ISO 8601 time. */
function syslogAt(text: string, pos: number): Prefix | null {
  const stamp = stampAt(text, pos);
  if (stamp === null || text.charCodeAt(stamp.end) !== SPACE) return null;
  if (stamp.kind !== 'month' && !(stamp.kind === 'date' && stamp.iso)) return null;
  const bare = stamp.kind === 'month';
  const first = stamp.end + 1;
  const when = { time: stamp.time, timeRaw: stamp.timeRaw };
  const alone = identAt(text, first, bare);
  if (alone !== null) return { ...alone, when };
  const space = text.indexOf(' ', first);
  if (space <= first || space - first > NAME_MAX || levelOf(text.slice(first, space)) !== null) return null;
  // Behind an ISO time a bare word can be a module's; only the kernel, which has no pid, is sure to be an identifier.
  const named = identAt(text, space + 1, bare || text.startsWith('kernel: ', space + 1));
  return named === null ? null : { ...named, when };
}

/** Index after `name-1  | ` at `pos`, or -1. A capitalised single word before a bar is text, not a container. */
function composeEnd(text: string, pos: number): number {
  const limit = Math.min(text.length, pos + NAME_MAX);
  let at = pos;
  let letters = false;
  let marks = false;
  for (; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (isLetter(code)) letters = true;
    else if (isDigit(code) || code === 45 || code === 95) marks = true;
    else if (code !== 46) break;
  }
  if (!letters || !(marks || isLower(text.charCodeAt(pos)))) return -1;
  const name = at;
  while (at < limit && text.charCodeAt(at) === SPACE) at++;
  if (at === name || text.charCodeAt(at) !== PIPE) return -1;
  const next = text.charCodeAt(at + 1);
  return at + 1 >= text.length ? at + 1 : isBlank(next) ? at + 2 : -1;
}

/** Fewest bars of a table's row. */
const ROW_BARS = 3;

/**
 * True for a row of a table: a name, then at least two cells between bars, all of them numbers (or the header of
 * nethermind's report). Such a row also starts with a word and a bar, and must not lose its name as a container's.
 */
export function isTableRow(text: string): boolean {
  let bar = text.indexOf('|');
  if (bar < 1) return false;
  if (text.startsWith('method ') && text.startsWith('successes', skipBlanks(text, bar + 1))) return true;
  let bars = 0;
  while (bar >= 0) {
    bars++;
    const cell = skipBlanks(text, bar + 1);
    bar = text.indexOf('|', bar + 1);
    // What follows the last bar may be the rest of a cell cut off by a pager.
    if (bar >= 0 && !isDigit(text.charCodeAt(cell))) return false;
  }
  return bars >= ROW_BARS;
}

/** Most prefixes taken off one line: journal, identifier and compose, in any order. */
const MAX_PREFIXES = 3;

/** Finds the outer prefixes of a line. `end` is 0 if it has none. */
export function prefixOf(text: string): Prefix {
  let found: Prefix = { end: 0, when: NO_TIME, ident: '' };
  for (let round = 0; round < MAX_PREFIXES; round++) {
    const pos = found.end;
    const first = text.charCodeAt(pos);
    if (isBlank(first) || !(isWord(first) || first > 127 || first === 40 || first === 46)) break;
    const syslog = syslogAt(text, pos);
    if (syslog !== null) {
      found = syslog;
      continue;
    }
    const named = identAt(text, pos, false);
    if (named !== null) {
      found = { ...named, when: found.when };
      continue;
    }
    const compose = composeEnd(text, pos);
    if (compose < 0 || isTableRow(text.slice(pos))) break;
    found = { ...found, end: compose };
  }
  return found;
}
