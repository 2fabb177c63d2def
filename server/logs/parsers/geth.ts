import { CLOSE_SQUARE, digitsEnd, isLetter, OPEN_SQUARE, skipBlanks } from './chars.ts';
import { createFields, plainValue } from './fields.ts';
import { levelOf } from './level.ts';
import { firstKey, readPairs } from './pairs.ts';
import { stampAt, whenOf } from './time.ts';
import { entry, type Line, type ParsedLine, type When } from './types.ts';

/** `message<pad>key=value ...` from `pos` on, as geth, erigon, nimbus and logrus on a terminal print it. */
export function messageAndPairs(
  text: string,
  pos: number,
): { message: string; fields: ReturnType<typeof createFields> } {
  const from = firstKey(text, pos);
  const fields = createFields();
  if (from < text.length) readPairs(text, from, fields.set);
  // geth quotes a message that holds anything but plain text.
  return { message: plainValue(text.slice(pos, from)), fields };
}

/** The time in the brackets of a header: geth's `MM-DD|HH:MM:SS`, a full timestamp, or logrus' seconds since start. */
function headerTime(text: string): When | null {
  const stamp = stampAt(text, 0);
  if (stamp !== null) return whenOf(text);
  return text !== '' && digitsEnd(text, 0) === text.length ? { time: null, timeRaw: text } : null;
}

/** Longest target in brackets, in characters. */
const TARGET_MAX = 80;

/** `[target] ` at `pos`: the target and the index after it, or null. */
function bracketed(text: string, pos: number): { target: string; end: number } | null {
  if (text.charCodeAt(pos) !== OPEN_SQUARE) return null;
  const close = text.indexOf(']', pos);
  if (close <= pos + 1 || close - pos > TARGET_MAX) return null;
  return { target: text.slice(pos + 1, close), end: close + 1 };
}

/** `LEVEL[time] message<pad>k=v` of geth, of older erigon, and of logrus on a terminal. */
export function parseGeth(line: Line): ParsedLine | null {
  const { text } = line;
  let word = 0;
  while (isLetter(text.charCodeAt(word))) word++;
  if (word < 3 || word > 8) return null;
  const open = skipBlanks(text, word);
  if (text.charCodeAt(open) !== OPEN_SQUARE) return null;
  const level = levelOf(text.slice(0, word));
  const close = level === null ? -1 : text.indexOf(']', open);
  const when = close < 0 || close - open > 40 ? null : headerTime(text.slice(open + 1, close));
  if (level === null || when === null) return null;
  let from = skipBlanks(text, close + 1);
  // geth pads every level to five letters, erigon does not; that tells `[p2p]` as a target from a bracket in a message.
  const erigon =
    when.timeRaw?.includes('|') === true && open === word && (word === 4 || line.hint === 'erigon');
  const named = erigon ? bracketed(text, from) : null;
  if (named !== null) from = named.end;
  const { message, fields } = messageAndPairs(text, from);
  // grafana on a terminal prints geth's format and names its loggers; logrus has `module`.
  const key = when.timeRaw?.includes('|') === true ? 'logger' : 'module';
  const target = named?.target ?? (Object.hasOwn(fields.all, key) ? fields.all[key] : null) ?? null;
  if (named === null && target !== null) delete fields.all[key];
  return entry(level, when, target, message, fields.all);
}

/** `[LVL] [MM-DD|HH:MM:SS.mmm] [target] message<pad>k=v` of erigon. */
export function parseErigon(line: Line): ParsedLine | null {
  const { text } = line;
  const close = text.indexOf(']', 1);
  if (close < 4 || close > 9) return null;
  const level = levelOf(text.slice(1, close).trim());
  const open = skipBlanks(text, close + 1);
  if (level === null || text.charCodeAt(open) !== OPEN_SQUARE) return null;
  const stamp = stampAt(text, open + 1);
  if (stamp?.kind !== 'geth' || text.charCodeAt(stamp.end) !== CLOSE_SQUARE) return null;
  const from = skipBlanks(text, stamp.end + 1);
  const named = bracketed(text, from);
  const { message, fields } = messageAndPairs(text, named?.end ?? from);
  return entry(level, stamp, named?.target ?? null, message, fields.all);
}
