import { isUnsafe, sanitize, stripAnsi } from '../ansi.ts';
import { isBlank, OPEN_SQUARE, skipBlanks } from './chars.ts';
import { isContinuation, isCrash, isTraceback } from './continuation.ts';
import { parseErigon, parseGeth } from './geth.ts';
import { parseLighthouse } from './lighthouse.ts';
import { prefixOf } from './prefix.ts';
import { stampAt } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine } from './types.ts';

export type { ParsedLine } from './types.ts';

function detect(line: Line): ParsedLine | null {
  const first = line.text.charCodeAt(0);
  if (first === OPEN_SQUARE) return parseErigon(line);
  const stamp = stampAt(line.text, 0);
  if (stamp === null) return parseGeth(line);
  return stamp.kind === 'month' ? parseLighthouse(line, stamp) : null;
}

/**
 * Parses one log line of any service we know. The format is told from the line itself; `hint` (the unit's client, such
 * as `geth` or `lighthouse`) only settles what the line leaves open, so that a wrong one does no harm. Never throws;
 * takes time linear in the length of the line. A line of no known format is all message.
 */
export function parseLine(raw: string, hint = ''): ParsedLine {
  const plain = stripAnsi(raw);
  const prefix = prefixOf(plain);
  const start = skipBlanks(plain, prefix.end);
  const indented = start > prefix.end || isBlank(plain.charCodeAt(0));
  const text = plain.slice(start).trim();
  const parsed = detect({ text, hint, ident: prefix.ident }) ?? unformatted(text, indented);
  if (parsed.time === null && parsed.timeRaw === null && !parsed.continuation)
    Object.assign(parsed, prefix.when);
  return isUnsafe(parsed.message) ? { ...parsed, message: sanitize(parsed.message) } : parsed;
}

function unformatted(text: string, indented: boolean): ParsedLine {
  if (isContinuation(text, indented)) return { ...entry(null, NO_TIME, null, text), continuation: true };
  if (isCrash(text)) return entry('fatal', NO_TIME, null, text);
  return entry(isTraceback(text) ? 'error' : null, NO_TIME, null, text);
}
