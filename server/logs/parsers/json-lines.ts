import { OPEN_CURLY } from './chars.ts';
import { createFields } from './fields.ts';
import { type JsonMembers, type JsonValue, readObject } from './json.ts';
import { levelOfValue } from './level.ts';
import { whenOf, whenOfEpoch } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine, type When } from './types.ts';

const TIME_KEYS = ['@timestamp', 'ts', 'time', 'timestamp', 't'];
const LEVEL_KEYS = ['level', 'lvl', 'severity'];

function take(members: JsonMembers, key: string | undefined): JsonValue | undefined {
  if (key === undefined) return undefined;
  const value = members.get(key);
  members.delete(key);
  return value;
}

function timeOf(value: JsonValue): When | null {
  if (value.kind === 'number') return whenOfEpoch(value.text);
  return value.kind === 'string' ? whenOf(value.text.trim()) : null;
}

/** The first key that is there with a text to name a logger by. */
function firstText(members: JsonMembers, keys: string[]): string | undefined {
  return keys.find((key) => members.get(key)?.kind === 'string');
}

/** The names under which an entry has its level, time and message. */
interface Names {
  level: string | undefined;
  time: string | undefined;
  message: string | undefined;
}

/** The key that names the logger. Loggers differ in it; which one wrote the line is told from its other keys. */
function targetKey(
  members: JsonMembers,
  names: Names,
  writtenTime: boolean,
  hint: string,
): string | undefined {
  // log4j layout of besu, teku and web3signer.
  if (members.has('class') && members.has('thread')) return firstText(members, ['class']);
  // chronicles (nimbus).
  if (names.level === 'lvl' && names.time === 'ts') return firstText(members, ['topics', 'service']);
  // charon: zap, with the console's line once more under `pretty`.
  if (hint === 'charon' || members.has('pretty')) return firstText(members, ['topic', 'logger', 'component']);
  const own = names.time === 'time' && writtenTime;
  // zerolog: written `time` with `message`. winston's default `service` comes with `timestamp` or without a time.
  if ((own || hint === 'vouch') && names.message === 'message')
    return firstText(members, ['service', 'logger', 'component']);
  // logrus: written `time` with `msg`.
  if (own && names.message === 'msg') return firstText(members, ['logger', 'component', 'module', 'prefix']);
  return firstText(
    members,
    hint === 'lighthouse' ? ['service', 'component', 'module'] : ['logger', 'component'],
  );
}

/** zap's short keys, as ssv uses them: `L T N M`. */
function parseShortKeys(members: JsonMembers): ParsedLine | null {
  if (!members.has('L') || !(members.has('M') || members.has('T'))) return null;
  const level = take(members, 'L');
  const time = take(members, 'T');
  const target = take(members, 'N');
  const message = take(members, 'M');
  const when = (time && timeOf(time)) ?? NO_TIME;
  return finish(
    members,
    entry(levelOfValue(level?.text ?? ''), when, target?.text ?? null, message?.text ?? ''),
  );
}

/** tracing-subscriber's JSON: message and fields one level down, under `fields`. */
function liftFields(members: JsonMembers): void {
  const inner = members.get('fields');
  if (inner?.kind !== 'nested' || inner.text.charCodeAt(0) !== OPEN_CURLY || !members.has('target')) return;
  const lifted = readObject(inner.text, 0);
  if (!lifted?.has('message')) return;
  members.delete('fields');
  for (const [key, value] of lifted) if (!members.has(key)) members.set(key, value);
}

function finish(members: JsonMembers, parsed: ParsedLine): ParsedLine {
  const fields = createFields();
  for (const [key, value] of members) fields.set(key, value.text);
  return { ...parsed, fields: fields.all };
}

/**
 * A JSON object on a line of its own, as pino, winston, zap, zerolog, logrus, slog, chronicles and log4j write it.
 * An object without level, message and time is somebody's data, not an entry: null.
 */
export function parseJson({ text, hint }: Line): ParsedLine | null {
  const members = readObject(text, 0);
  if (members === null) return null;
  const short = parseShortKeys(members);
  if (short !== null) return short;
  const tracing = members.has('fields') && members.has('target');
  if (tracing) liftFields(members);

  const levelKey = LEVEL_KEYS.find((key) => {
    const value = members.get(key);
    return value !== undefined && value.kind !== 'nested';
  });
  const timeKey = TIME_KEYS.find((key) => {
    const value = members.get(key);
    return value !== undefined && timeOf(value) !== null;
  });
  const preferMessage = hint === 'json-winston' || (members.has('class') && members.has('thread'));
  const messageKey = (preferMessage ? ['message', 'msg'] : ['msg', 'message']).find((key) =>
    members.has(key),
  );
  if (levelKey === undefined && (messageKey === undefined || timeKey === undefined)) return null;

  const level = take(members, levelKey);
  const time = take(members, timeKey);
  const message = take(members, messageKey);
  const pino =
    level?.kind === 'number' ||
    time?.kind === 'number' ||
    hint === 'json-pino' ||
    (members.has('pid') && members.has('hostname'));
  const names = { level: levelKey, time: timeKey, message: messageKey };
  const named = tracing ? 'target' : targetKey(members, names, time?.kind === 'string', hint);
  const target = take(
    members,
    named ?? (pino && timeKey !== 'ts' ? firstText(members, ['name']) : undefined),
  );
  const when = (time && timeOf(time)) ?? NO_TIME;
  return finish(
    members,
    entry(levelOfValue(level?.text ?? ''), when, target?.text ?? null, message?.text ?? ''),
  );
}
