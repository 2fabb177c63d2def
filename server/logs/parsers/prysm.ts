import { CLOSE_SQUARE, COLON, COMMA, isLower, isWord, skipBlanks, wordEnd } from './chars.ts';
import { createFields } from './fields.ts';
import { levelOf } from './level.ts';
import { type FieldStart, fieldStarts, spacedKey } from './pairs.ts';
import { stampAt } from './time.ts';
import { addFields } from './tracing.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** True if the sentence goes on behind the value's first word: `genesis with htr=0x12, ignoring` is prose. */
function isProse(text: string, start: FieldStart, end: number): boolean {
  const word = wordEnd(text, start.value);
  return word < end && text.charCodeAt(word - 1) === COMMA;
}

/** Index behind the target `name: ` at `pos`, or -1. */
function targetEnd(text: string, pos: number): number {
  if (!isLower(text.charCodeAt(pos))) return -1;
  let at = pos;
  while (isWord(text.charCodeAt(at)) || '-/.'.includes(text.charAt(at) || ' ')) at++;
  return text.charCodeAt(at) === COLON && (at + 1 === text.length || text.charCodeAt(at + 1) === 32)
    ? at
    : -1;
}

/** `[date time]  LEVEL target: message k=v` of prysm's console, whose values are unquoted and may hold blanks. */
export function parsePrysm({ text }: Line): ParsedLine | null {
  const stamp = stampAt(text, 1);
  if (stamp === null || stamp.kind !== 'date' || text.charCodeAt(stamp.end) !== CLOSE_SQUARE) return null;
  const from = skipBlanks(text, stamp.end + 1);
  const word = wordEnd(text, from);
  const level = levelOf(text.slice(from, word));
  if (level === null) return null;
  let body = skipBlanks(text, word);
  const named = targetEnd(text, body);
  const target = named < 0 ? null : text.slice(body, named);
  if (named >= 0) body = named + 1;
  const starts = fieldStarts(text, body, spacedKey);
  let first = 0;
  for (; first < starts.length; first++) {
    const start = starts[first];
    if (start !== undefined && !isProse(text, start, starts[first + 1]?.at ?? text.length)) break;
  }
  const kept = starts.slice(first);
  const fields = createFields();
  addFields(text, kept, text.length, fields);
  return entry(level, stamp, target, text.slice(body, kept[0]?.at ?? text.length), fields.all);
}
