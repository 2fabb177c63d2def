import { digitsEnd, isBlank, skipBlanks, wordEnd } from './chars.ts';
import { levelOf } from './level.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine } from './types.ts';

/** `HH:MM:SS.mmm LEVEL - text` of teku's console, also with a date. The text is never split. */
export function parseTeku({ text }: Line, stamp: Stamp): ParsedLine | null {
  const from = skipBlanks(text, stamp.end);
  const end = wordEnd(text, from);
  const dash = skipBlanks(text, end);
  if (text.charCodeAt(dash) !== 45 || !(dash + 1 >= text.length || isBlank(text.charCodeAt(dash + 1))))
    return null;
  const level = levelOf(text.slice(from, end));
  return level && entry(level, stamp, null, text.slice(dash + 1));
}

/** `YYYY/MM/DD HH:MM:SS text` of Go's standard logger. */
export function parseGoLog({ text }: Line, stamp: Stamp): ParsedLine {
  return entry(null, stamp, null, text.slice(stamp.end));
}

/** Services whose text is taken as it is: nothing in it is a field or a time. */
const PLAIN_IDENTS = new Set(['systemd', 'kernel', 'sshd', 'sshd-session', 'sshd-auth', 'sudo']);

/** Words of sshd's own, which tell its `error: ` from that of any other program where nothing else does. */
const SSHD_WORDS = [' port ', '[preauth]', 'ssh', 'kex', 'PAM', 'authentication'];

/** sshd's `fatal: ` and `error: `. */
function parseSshd(text: string): ParsedLine {
  return entry(text.startsWith('fatal') ? 'fatal' : 'error', NO_TIME, null, text.slice(7));
}

/** Index after the kernel's `[uptime] ` at the start, or 0. */
export function uptimeEnd(text: string): number {
  if (text.charCodeAt(0) !== 91) return 0;
  const seconds = digitsEnd(text, skipBlanks(text, 1));
  const end = text.charCodeAt(seconds) === 46 ? digitsEnd(text, seconds + 1) : -1;
  return end > seconds + 1 && text.charCodeAt(end) === 93 ? end + 1 : 0;
}

/** Lines of sshd, systemd and the kernel, known by the identifier in front or, for sshd, by the hint. */
export function parseSystem({ text, ident, hint }: Line): ParsedLine | null {
  if (text.startsWith('fatal: ') || text.startsWith('error: ')) {
    const named = ident === '' ? hint.startsWith('ssh') : ident.startsWith('sshd');
    const alone = ident === '' && hint === '' && SSHD_WORDS.some((word) => text.includes(word));
    if (named || alone) return parseSshd(text);
  }
  return PLAIN_IDENTS.has(ident) ? entry(null, NO_TIME, null, text) : null;
}
