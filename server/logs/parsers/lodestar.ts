import { COLON, COMMA, isLetter, OPEN_SQUARE, skipBlanks } from './chars.ts';
import { createFields, plainValue } from './fields.ts';
import { levelOf } from './level.ts';
import { fieldStarts, spacedKey } from './pairs.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** Longest module name in brackets, in characters. */
const MODULE_MAX = 80;

const withoutComma = (text: string): string => {
  const trimmed = text.trimEnd();
  return trimmed.charCodeAt(trimmed.length - 1) === COMMA ? trimmed.slice(0, -1) : trimmed;
};

/** `Mon-DD HH:MM:SS.mmm[module]   level: message k=v, k=v` of lodestar; older ones print the full date. */
export function parseLodestar({ text }: Line, stamp: Stamp): ParsedLine | null {
  const open = skipBlanks(text, stamp.end);
  if (text.charCodeAt(open) !== OPEN_SQUARE) return null;
  const close = text.indexOf(']', open);
  if (close < 0 || close - open > MODULE_MAX) return null;
  const from = skipBlanks(text, close + 1);
  let word = from;
  while (isLetter(text.charCodeAt(word))) word++;
  const level = levelOf(text.slice(from, word));
  if (level === null || text.charCodeAt(word) !== COLON) return null;
  const module = text.slice(open + 1, close).trim();
  const fields = createFields();
  const starts = fieldStarts(text, word + 1, spacedKey);
  starts.forEach((start, index) => {
    const next = starts[index + 1]?.at;
    const value = text.slice(start.value, next ?? text.length);
    // A comma in front of the next key separates; one at the end of the line belongs to the value.
    fields.set(
      text.slice(start.key, start.value - 1),
      plainValue(next === undefined ? value : withoutComma(value)),
    );
  });
  const first = starts[0]?.at;
  const message = text.slice(word + 1, first ?? text.length);
  return entry(
    level,
    stamp,
    module === '' ? null : module,
    first === undefined ? message : withoutComma(message),
    fields.all,
  );
}
