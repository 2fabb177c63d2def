import { COLON, isBlank, isDigit, isLower, isWord, OPEN_CURLY, skipBlanks, wordEnd } from './chars.ts';
import { createFields, type FieldSet, plainValue } from './fields.ts';
import { levelOf } from './level.ts';
import { type FieldStart, fieldStarts, keyEnd, spacedKey } from './pairs.ts';
import type { Stamp } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine, type When } from './types.ts';

/** Adds the fields that start at `starts` to `fields`; each value runs to the next start or to `end`. */
export function addFields(text: string, starts: FieldStart[], end: number, fields: FieldSet): void {
  starts.forEach((start, index) => {
    const value = text.slice(start.value, starts[index + 1]?.at ?? end);
    fields.set(text.slice(start.key, start.value - 1), plainValue(value));
  });
}

/** `message k=v k=v` from `pos` on with values that may hold blanks; the message comes back, the fields are added. */
export function looseFields(text: string, pos: number, fields: FieldSet): string {
  const starts = keyEnd(text, pos) >= 0 ? fieldStarts(` ${text.slice(pos)}`, 0, spacedKey) : null;
  if (starts !== null) {
    addFields(` ${text.slice(pos)}`, starts, text.length - pos + 1, fields);
    return '';
  }
  const found = fieldStarts(text, pos, spacedKey);
  addFields(text, found, text.length, fields);
  return text.slice(pos, found[0]?.at ?? text.length);
}

/** Index of the `}` that closes the `{` at `open`, outside quotes, or -1. */
function closingCurly(text: string, open: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = open; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 92) at++;
      else if (code === 34) quoted = false;
    } else if (code === 34) quoted = true;
    else if (code === OPEN_CURLY) depth++;
    else if (code === 125 && --depth === 0) return at;
  }
  return -1;
}

const isName = (code: number): boolean =>
  isWord(code) || code === 45 || code === 46 || code === 47 || code === 36;

/** Index after a path `a`, `a::b` at `pos`. */
function pathEnd(text: string, pos: number): number {
  let at = pos;
  for (;;) {
    while (isName(text.charCodeAt(at))) at++;
    const joined = text.charCodeAt(at) === COLON && text.charCodeAt(at + 1) === COLON;
    if (!joined || !isName(text.charCodeAt(at + 2))) return at;
    at += 2;
  }
}

/** Most spans of one chain: real chains stay under 10. */
const MAX_SPANS = 32;

/**
 * The chain `span{k=v}:span:` at `pos`: its names, and the index after it; `end` is `pos` if there is none. A chain
 * without any fields is told from a target by its single colons, or by the target that follows it.
 */
function spansAt(text: string, pos: number, fields: FieldSet): { names: string[]; end: number } {
  const names: string[] = [];
  const bodies: [number, number][] = [];
  let at = pos;
  while (names.length < MAX_SPANS) {
    const name = pathEnd(text, at);
    if (name === at) break;
    let end = name;
    if (text.charCodeAt(name) === OPEN_CURLY) {
      const close = closingCurly(text, name);
      if (close < 0) break;
      bodies.push([name + 1, close]);
      end = close + 1;
    }
    if (text.charCodeAt(end) !== COLON) break;
    names.push(text.slice(at, name));
    at = end + 1;
    if (at >= text.length || isBlank(text.charCodeAt(at))) {
      const next = skipBlanks(text, at);
      const chained = bodies.length > 0 || names.length > 1;
      // `ChainOrchestrator::poll: engine: text`: of two paths the first is a span; modules have no capitals.
      const target = targetAt(text, next)?.target;
      const capital = /[A-Z]/.test(text.slice(pos, name));
      if (!chained && !(target?.includes('::') || (target !== undefined && capital))) break;
      for (const [from, to] of bodies) looseFields(text.slice(0, to), from, fields);
      return { names, end: next };
    }
  }
  return { names: [], end: pos };
}

/** The target `a: ` or `a::b: ` at `pos`, and the index after it. A word with a capital is prose, a path is not. */
function targetAt(text: string, pos: number): { target: string; end: number } | null {
  const end = pathEnd(text, pos);
  if (end === pos || text.charCodeAt(end) !== COLON) return null;
  if (end + 1 < text.length && !isBlank(text.charCodeAt(end + 1))) return null;
  const target = text.slice(pos, end);
  const first = text.charCodeAt(pos);
  if (!(isLower(first) || first === 95 || isDigit(first)) && !target.includes('::')) return null;
  return { target, end: skipBlanks(text, end + 1) };
}

function parseBody(text: string, pos: number, level: ParsedLine['level'], when: When): ParsedLine {
  const fields = createFields();
  const spans = spansAt(text, pos, fields);
  if (spans.names.length > 0) fields.set('span', spans.names.join(':'));
  const named = targetAt(text, spans.end);
  const message = looseFields(text, named?.end ?? spans.end, fields);
  return entry(level, when, named?.target ?? null, message, fields.all);
}

/** `time LEVEL [span{..}:span{..}:] [target:] message k=v` of Rust's tracing: reth, commit-boost. */
export function parseTracing({ text }: Line, stamp: Stamp): ParsedLine | null {
  const from = skipBlanks(text, stamp.end);
  const end = wordEnd(text, from);
  const level = levelOf(text.slice(from, end));
  return level === null ? null : parseBody(text, skipBlanks(text, end), level, stamp);
}

/** The same without its time, as pasted lines have it: only a `path::to::module: ` behind the level proves it. */
export function parseTimelessTracing({ text }: Line): ParsedLine | null {
  const end = wordEnd(text, 0);
  const level = levelOf(text.slice(0, end));
  if (level === null) return null;
  const from = skipBlanks(text, end);
  return targetAt(text, from)?.target.includes('::') ? parseBody(text, from, level, NO_TIME) : null;
}
