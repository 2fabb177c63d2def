import { isBlank, PIPE, skipBlanks } from './chars.ts';
import { levelOf } from './level.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** The next column: its trimmed text and the index after its bar; null if no bar follows. */
function columnAt(text: string, pos: number): { text: string; end: number } | null {
  const bar = text.indexOf('|', pos);
  return bar < 0 ? null : { text: text.slice(pos, bar).trim(), end: bar + 1 };
}

/** `time | thread | LEVEL | class | text` of log4j as besu, web3signer and teku's file log print it. */
export function parseBesu({ text }: Line, stamp: Stamp): ParsedLine | null {
  const bar = skipBlanks(text, stamp.end);
  if (text.charCodeAt(bar) !== PIPE) return null;
  const thread = columnAt(text, bar + 1);
  const level = thread && columnAt(text, thread.end);
  const known = level ? levelOf(level.text) : null;
  if (thread === null || level === null || known === null) return null;
  // An empty text may have lost its bar together with the blanks around it.
  const source = columnAt(text, level.end) ?? { text: text.slice(level.end).trim(), end: text.length };
  return entry(known, stamp, source.text === '' ? null : source.text, text.slice(source.end), {
    thread: thread.text,
  });
}

/** nethermind: `time | text` on the console, `time|LEVEL|thread|text` in the file. */
export function parseNethermind({ text }: Line, stamp: Stamp): ParsedLine | null {
  const bar = skipBlanks(text, stamp.end);
  if (text.charCodeAt(bar) !== PIPE) return null;
  if (bar === stamp.end && !isBlank(text.charCodeAt(bar + 1))) {
    const level = columnAt(text, bar + 1);
    const known = level ? levelOf(level.text) : null;
    const thread = level && known !== null ? columnAt(text, level.end) : null;
    if (thread !== null) return entry(known, stamp, null, text.slice(thread.end), { thread: thread.text });
  }
  return entry(null, stamp, null, text.slice(bar + 1));
}
