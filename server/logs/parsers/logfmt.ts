import { createFields } from './fields.ts';
import { levelOfValue } from './level.ts';
import { keyEnd, readPairs } from './pairs.ts';
import { whenOf } from './time.ts';
import { entry, type Line, NO_TIME, type ParsedLine } from './types.ts';

const TIME_KEYS = ['ts', 'time', 't'];
const LEVEL_KEYS = ['level', 'lvl'];

/** Keys that name the logger. logrus (prysm, mev-boost, docker) has its own, and `component` is a plain field there. */
const TARGETS = ['logger', 'component'];
const LOGRUS_TARGETS = ['prefix', 'module'];
const CHARON_TARGETS = ['topic', ...TARGETS];

const SPECIAL: ReadonlySet<string> = new Set([
  ...TIME_KEYS,
  ...LEVEL_KEYS,
  ...TARGETS,
  ...LOGRUS_TARGETS,
  'msg',
]);

/**
 * logfmt: `key=value key="value"` in any order, as logrus (prysm, mev-boost, docker, containerd), go-kit and slog
 * (prometheus, node_exporter), grafana and geth write it. A line without a level or a message is no entry: null.
 */
export function parseLogfmt({ text, hint }: Line): ParsedLine | null {
  if (keyEnd(text, 0) < 0) return null;
  const special = new Map<string, string>();
  const fields = createFields();
  readPairs(text, 0, (key, value) => {
    if (SPECIAL.has(key)) special.set(key, value);
    else fields.set(key, value);
  });
  const levelKey = LEVEL_KEYS.find((key) => special.has(key));
  const level = levelKey === undefined ? null : levelOfValue(special.get(levelKey) ?? '');
  const timeKey = TIME_KEYS.find((key) => special.has(key));
  if (level === null && (timeKey === undefined || !special.has('msg'))) return null;

  // logrus quotes its time (it holds colons) and writes it first; go-kit and slog do not.
  const logrus = text.startsWith('time="');
  const charon = !logrus && (hint === 'charon' || special.has('pretty'));
  const targets = logrus ? LOGRUS_TARGETS : charon ? CHARON_TARGETS : TARGETS;
  const targetKey = targets.find((key) => special.has(key));
  const target = targetKey === undefined ? null : (special.get(targetKey) ?? null);
  const when = timeKey === undefined ? NO_TIME : whenOf(special.get(timeKey) ?? '');
  const message = special.get('msg') ?? '';
  for (const key of [levelKey, timeKey, targetKey, 'msg']) if (key !== undefined) special.delete(key);
  for (const [key, value] of special) fields.set(key, value);
  return entry(level, when, target, message, fields.all);
}
