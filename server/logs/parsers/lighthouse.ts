import { isBlank, skipBlanks, wordEnd } from './chars.ts';
import { createFields, plainValue } from './fields.ts';
import { levelOf } from './level.ts';
import { colonKeyEnd, commaKey, type FieldStart, fieldStarts } from './pairs.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** Where the first field starts: behind two or more blanks, or at `, key: ` if that comes first. */
function firstField(text: string, from: number): FieldStart | null {
  for (let at = from; at < text.length; at++) {
    const comma = commaKey(text, at);
    if (comma !== null) return comma;
    if (!isBlank(text.charCodeAt(at)) || !isBlank(text.charCodeAt(at + 1))) continue;
    const key = skipBlanks(text, at);
    const colon = colonKeyEnd(text, key);
    if (colon >= 0) return { at, key, value: colon + 1 };
    at = key - 1;
  }
  return null;
}

/** `Mon DD HH:MM:SS.mmm LEVEL message  key: value, key: value` of lighthouse (slog and tracing). */
export function parseLighthouse({ text }: Line, stamp: Stamp): ParsedLine | null {
  const from = skipBlanks(text, stamp.end);
  const end = wordEnd(text, from);
  const level = levelOf(text.slice(from, end));
  if (level === null) return null;
  const body = skipBlanks(text, end);
  const first = firstField(text, body);
  if (first === null) return entry(level, stamp, null, text.slice(body));
  const starts = [first, ...fieldStarts(text, first.value, commaKey)];
  const fields = createFields();
  const named: Record<string, string> = {};
  starts.forEach((start, index) => {
    const key = text.slice(start.key, start.value - 1);
    const value = plainValue(text.slice(start.value, starts[index + 1]?.at ?? text.length));
    if (key === 'service' || key === 'component' || key === 'module') named[key] = value;
    else fields.set(key, value);
  });
  const used = ['service', 'component', 'module'].find((key) => named[key] !== undefined);
  for (const [key, value] of Object.entries(named)) if (key !== used) fields.set(key, value);
  return entry(
    level,
    stamp,
    used === undefined ? null : (named[used] ?? null),
    text.slice(body, first.at),
    fields.all,
  );
}
