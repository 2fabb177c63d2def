import { isUnsafe, sanitize, stripAnsi } from '../ansi.ts';
import { isBlank, skipBlanks } from './chars.ts';
import { isContinuation, isCrash, isTraceback } from './continuation.ts';
import { createFields } from './fields.ts';
import { parseSystem, uptimeEnd } from './plain.ts';
import { prefixOf } from './prefix.ts';
import { parseKnown } from './registry.ts';
import { entry, type Line, NO_TIME, type ParsedLine } from './types.ts';

export type { ParsedLine } from './types.ts';

/** Longest `[uptime]` of the kernel, in characters. */
const UPTIME_MAX = 32;

/** rsyslog's way to write a tab at either end of a message (`$EscapeControlCharactersOnReceive`). */
const RSYSLOG_TAB = '#011';

function withoutRsyslogTabs(text: string): string {
  let from = 0;
  let to = text.length;
  while (text.startsWith(RSYSLOG_TAB, from)) from = skipBlanks(text, from + RSYSLOG_TAB.length);
  while (to > from && text.endsWith(RSYSLOG_TAB, to)) to -= RSYSLOG_TAB.length;
  return text.slice(from, to).trim();
}

/** A line that no format claims: a further line of the entry above, the head of a crash, or just text. */
function unformatted(text: string, indented: boolean): ParsedLine {
  if (isContinuation(text, indented)) return { ...entry(null, NO_TIME, null, text), continuation: true };
  if (isCrash(text)) return entry('fatal', NO_TIME, null, text);
  return entry(isTraceback(text) ? 'error' : null, NO_TIME, null, text);
}

/** Escapes in quoted values can hide what the line itself did not show: decoded text is made safe again. */
function safe(parsed: ParsedLine): ParsedLine {
  const fields = createFields();
  for (const [key, value] of Object.entries(parsed.fields)) fields.set(sanitize(key), sanitize(value));
  const target = parsed.target === null ? null : sanitize(parsed.target);
  const timeRaw = parsed.timeRaw === null ? null : sanitize(parsed.timeRaw);
  return { ...parsed, target, timeRaw, message: sanitize(parsed.message).trim(), fields: fields.all };
}

/**
 * Parses one log line of any service we know. The format is told from the line itself; `hint` (the unit's client, such
 * as `geth` or `lighthouse`) only settles what the line leaves open, so that a wrong one does no harm. Never throws;
 * takes time linear in the length of the line. A line of no known format is all message. Message, target and fields
 * hold no escape sequences, control characters or bidirectional overrides; the raw line stays the caller's.
 */
export function parseLine(raw: string, hint = ''): ParsedLine {
  // One look at the line spares the common case, which holds nothing of the kind, all the rest.
  const odd = isUnsafe(raw);
  const plain = odd ? stripAnsi(raw) : raw;
  const prefix = prefixOf(plain);
  let end = prefix.end;
  if (prefix.ident === 'kernel' || end === 0) end += uptimeEnd(plain.slice(end, end + UPTIME_MAX));
  if (end > prefix.end && isBlank(plain.charCodeAt(end))) end++;
  const start = skipBlanks(plain, end);
  const tabbed = plain.startsWith(RSYSLOG_TAB, start);
  const indented = tabbed || start > end;
  const trimmed = plain.slice(start).trim();
  const text = plain.includes(RSYSLOG_TAB) ? withoutRsyslogTabs(trimmed) : trimmed;
  const line: Line = { text, hint, ident: prefix.ident };
  // sudo pads the user's name; elsewhere a blank in front means that the entry above goes on.
  const own = !indented || prefix.ident === 'sudo';
  const parsed = (own ? parseSystem(line) : null) ?? parseKnown(line) ?? unformatted(text, indented);
  if (parsed.time === null && parsed.timeRaw === null && !parsed.continuation) {
    parsed.time = prefix.when.time;
    parsed.timeRaw = prefix.when.timeRaw;
  }
  return odd || plain.includes('\\') ? safe(parsed) : parsed;
}
