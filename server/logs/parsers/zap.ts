import { digitsEnd, isBlank, isDigit, skipBlanks, wordEnd } from './chars.ts';
import { createFields } from './fields.ts';
import { type JsonMembers, readObject } from './json.ts';
import { levelOf } from './level.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, type ParsedLine } from './types.ts';

/** Most places tried as the start of a trailing JSON object. */
const MAX_TRIES = 8;

/** Splits `text {json}`: the text, and the members of the object that fills the rest of the line, if there is one. */
function splitJson(text: string, pos: number): { text: string; members: JsonMembers } {
  if (text.endsWith('}')) {
    let at = text.indexOf('{', pos);
    for (let tries = 0; at >= 0 && tries < MAX_TRIES; tries++) {
      const members = at === pos || isBlank(text.charCodeAt(at - 1)) ? readObject(text, at) : null;
      if (members !== null) return { text: text.slice(pos, at), members };
      at = text.indexOf('{', at + 1);
    }
  }
  return { text: text.slice(pos), members: new Map() };
}

/** True for `dir/file.go:12`. */
function isCaller(text: string): boolean {
  const mark = text.indexOf('.go:');
  return mark > 0 && digitsEnd(text, mark + 4) === text.length && isDigit(text.charCodeAt(mark + 4));
}

/** Splits the first column off. It ends at a tab or at two or more blanks, or, with `narrow`, at one. */
function splitColumn(text: string, narrow: boolean): [string, string] {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 9 || (code === 32 && (narrow || isBlank(text.charCodeAt(at + 1))))) {
      return [text.slice(0, at), text.slice(skipBlanks(text, at))];
    }
  }
  return [text, ''];
}

function addMembers(members: JsonMembers, fields: ReturnType<typeof createFields>): Record<string, string> {
  for (const [key, value] of members) fields.set(key, value.text);
  return fields.all;
}

/** How far behind the level a caller is looked for, in characters. */
const CALLER_WITHIN = 200;

/** `time LEVEL [logger] caller message {json}` of zap's console encoder (ssv), columns by tabs or runs of blanks. */
export function parseZap({ text }: Line, stamp: Stamp): ParsedLine | null {
  const from = skipBlanks(text, stamp.end);
  const end = wordEnd(text, from);
  const level = levelOf(text.slice(from, end));
  const body = skipBlanks(text, end);
  if (level === null) return null;
  const tabs = text.charCodeAt(end) === 9;
  // Copies can have lost their runs of blanks; then only a caller (which all others lack) tells the format.
  const narrow = body === end + 1 && !tabs;
  if (narrow && !text.slice(body, body + CALLER_WITHIN).includes('.go:')) return null;
  const split = splitJson(text, body);
  const [first, rest] = splitColumn(split.text.trim(), narrow);
  const [second, tail] = splitColumn(rest, narrow);
  const fields = createFields();
  let logger: string | null = null;
  let message = split.text;
  if (isCaller(first)) {
    fields.set('caller', first);
    message = rest;
  } else if (isCaller(second)) {
    logger = first;
    fields.set('caller', second);
    message = tail;
  } else if (!tabs) return null;
  if (logger === null && split.members.get('component')?.kind === 'string') {
    logger = split.members.get('component')?.text ?? null;
    split.members.delete('component');
  }
  return entry(level, stamp, logger, message, addMembers(split.members, fields));
}

/** Width charon pads its topics to. */
const TOPIC_WIDTH = 10;

/** `HH:MM:SS.mmm LEVL topic<pad>message {json}` of charon's console. */
export function parseCharon({ text }: Line, stamp: Stamp): ParsedLine | null {
  const from = skipBlanks(text, stamp.end);
  const end = wordEnd(text, from);
  const level = levelOf(text.slice(from, end));
  if (level === null) return null;
  const column = end + 1;
  const topicEnd = wordEnd(text, column);
  const topic = text.slice(column, topicEnd);
  const padded = topicEnd - column >= TOPIC_WIDTH || isBlank(text.charCodeAt(column + TOPIC_WIDTH));
  const body = topic === '' || !padded ? column : topicEnd;
  const split = splitJson(text, skipBlanks(text, body));
  const target = body === topicEnd && topic !== '' ? topic : null;
  return entry(level, stamp, target, split.text, addMembers(split.members, createFields()));
}
