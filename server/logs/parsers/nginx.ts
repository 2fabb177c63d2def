import { COMMA, digitsEnd, isDigit, QUOTE, skipBlanks, wordEnd } from './chars.ts';
import { closingQuote, createFields, decodeEscapes, plainValue } from './fields.ts';
import { levelOf } from './level.ts';
import type { FieldStart } from './pairs.ts';
import { fieldStarts } from './pairs.ts';
import { clockEnd, type Stamp, toUtc } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine } from './types.ts';

/** What nginx' error log appends about the connection (ngx_http_log_error_handler and its stream and mail twins). */
const CONTEXT_KEYS = [
  'client',
  'server',
  'request',
  'subrequest',
  'upstream',
  'host',
  'referrer',
  'login',
  'bytes from/to client',
  'bytes from/to upstream',
];

/** A field start of the form `, client: `. Only the keys of nginx count: its messages hold commas and colons too. */
function contextKey(text: string, at: number): FieldStart | null {
  if (text.charCodeAt(at) !== COMMA || text.charCodeAt(at + 1) !== 32) return null;
  for (const key of CONTEXT_KEYS) {
    if (text.startsWith(key, at + 2) && text.charCodeAt(at + 2 + key.length) === 58) {
      return { at, key: at + 2, value: at + 3 + key.length };
    }
  }
  return null;
}

/** `[level] ` at `pos`. */
function bracketLevel(text: string, pos: number): { level: ParsedLine['level']; end: number } | null {
  if (text.charCodeAt(pos) !== 91) return null;
  const close = text.indexOf(']', pos);
  const level = close < 0 || close - pos > 12 ? null : levelOf(text.slice(pos + 1, close));
  return level === null ? null : { level, end: skipBlanks(text, close + 1) };
}

/** `date [level] pid#tid: *cid text, client: .., request: ".."` of nginx' error log. */
export function parseNginxError({ text }: Line, stamp: Stamp): ParsedLine | null {
  const found = bracketLevel(text, skipBlanks(text, stamp.end));
  if (found === null) return null;
  const pid = digitsEnd(text, found.end);
  const tid = digitsEnd(text, pid + 1);
  if (pid === found.end || text.charCodeAt(pid) !== 35 || tid === pid + 1 || text.charCodeAt(tid) !== 58)
    return null;
  const fields = createFields();
  fields.set('pid', text.slice(found.end, pid));
  fields.set('tid', text.slice(pid + 1, tid));
  let body = skipBlanks(text, tid + 1);
  if (text.charCodeAt(body) === 42 && isDigit(text.charCodeAt(body + 1))) {
    const cid = digitsEnd(text, body + 1);
    fields.set('cid', text.slice(body + 1, cid));
    body = skipBlanks(text, cid);
  }
  const starts = fieldStarts(text, body, contextKey);
  starts.forEach((start, index) => {
    const value = text.slice(start.value, starts[index + 1]?.at ?? text.length);
    fields.set(text.slice(start.key, start.value - 1), plainValue(value));
  });
  return entry(found.level, stamp, null, text.slice(body, starts[0]?.at ?? text.length), fields.all);
}

/** `nginx: [level] text`, as nginx prints it before its log is open. */
export function parseNginxStart({ text }: Line): ParsedLine | null {
  if (!text.startsWith('nginx: [')) return null;
  const found = bracketLevel(text, 7);
  return found && entry(found.level, NO_TIME, null, text.slice(found.end));
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';

/** `DD/Mon/YYYY:HH:MM:SS +ZZZZ`: ISO 8601 UTC, or null. */
function accessTime(text: string): string | null {
  const month = MONTHS.indexOf(text.slice(3, 6));
  const end = clockEnd(text, 12);
  const zone = text.slice(end + 1);
  if (month < 0 || month % 3 !== 0 || text.charAt(11) !== ':' || end < 0 || zone.length !== 5) return null;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  const date = `${text.slice(7, 11)}-${String(month / 3 + 1).padStart(2, '0')}-${text.slice(0, 2)}`;
  if (digitsEnd(date, 0) !== 4 || !Number.isInteger(minutes)) return null;
  return toUtc(date, text.slice(12, end), '', zone.startsWith('-') ? -minutes : minutes);
}

/** The quoted text at `pos` and the index after it. */
function quotedAt(text: string, pos: number): { inner: string; end: number } | null {
  if (text.charCodeAt(pos) !== QUOTE) return null;
  const close = closingQuote(text, pos);
  return close < 0 ? null : { inner: decodeEscapes(text.slice(pos + 1, close)), end: close + 1 };
}

/** `addr - user [time] "request" status bytes "referer" "agent"` of nginx' access log (common and combined). */
export function parseNginxAccess({ text }: Line): ParsedLine | null {
  const address = wordEnd(text, 0);
  if (!text.startsWith(' - ', address)) return null;
  const open = text.indexOf(' [', address + 3);
  const close = open < 0 ? -1 : text.indexOf(']', open);
  const time = close < 0 || close - open > 32 ? null : accessTime(text.slice(open + 2, close));
  const request = time === null ? null : quotedAt(text, close + 2);
  if (time === null || request === null) return null;
  const fields = createFields();
  const keep = (key: string, value: string): void => {
    if (value !== '-' && value !== '') fields.set(key, value);
  };
  keep('remote_addr', text.slice(0, address));
  const status = wordEnd(text, request.end + 1);
  const bytes = wordEnd(text, status + 1);
  keep('status', text.slice(request.end + 1, status));
  keep('body_bytes_sent', text.slice(status + 1, bytes));
  const referer = quotedAt(text, bytes + 1);
  if (referer !== null) keep('http_referer', referer.inner);
  const agent = referer && quotedAt(text, referer.end + 1);
  if (agent) keep('http_user_agent', agent.inner);
  return entry(null, { time, timeRaw: null }, null, request.inner, fields.all);
}
