import { isBlank, skipBlanks } from './chars.ts';
import { messageAndPairs } from './geth.ts';
import { levelOf } from './level.ts';
import { stampAt } from './time.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** `LVL time message<pad>k=v` of nimbus (chronicles). */
export function parseNimbus({ text }: Line): ParsedLine | null {
  if (!isBlank(text.charCodeAt(3))) return null;
  const level = levelOf(text.slice(0, 3));
  const stamp = level === null ? null : stampAt(text, skipBlanks(text, 4));
  if (stamp === null || (stamp.kind !== 'date' && stamp.kind !== 'clock')) return null;
  const { message, fields } = messageAndPairs(text, skipBlanks(text, stamp.end));
  const key = ['topics', 'service'].find((name) => Object.hasOwn(fields.all, name));
  const target = key === undefined ? null : (fields.all[key] ?? null);
  if (key !== undefined) delete fields.all[key];
  return entry(level, stamp, target, message, fields.all);
}
