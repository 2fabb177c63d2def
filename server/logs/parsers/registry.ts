import { isLower, OPEN_CURLY, OPEN_SQUARE } from './chars.ts';
import { parseBesu, parseNethermind } from './columns.ts';
import { parseErigon, parseGeth } from './geth.ts';
import { parseGrandine } from './grandine.ts';
import { parseJson } from './json-lines.ts';
import { parseLighthouse } from './lighthouse.ts';
import { parseLodestar } from './lodestar.ts';
import { parseLogfmt } from './logfmt.ts';
import { parseNginxAccess, parseNginxError, parseNginxStart } from './nginx.ts';
import { parseNimbus } from './nimbus.ts';
import { parseGoLog, parseTeku } from './plain.ts';
import { parsePrysm } from './prysm.ts';
import { type Stamp, stampAt } from './time.ts';
import { parseTimelessTracing, parseTracing } from './tracing.ts';
import type { Line, ParsedLine } from './types.ts';
import { parseCharon, parseZap } from './zap.ts';

/** Tells whether a line is of its format, and parses it if so. */
type Format = (line: Line) => ParsedLine | null;
/** The same for formats that start with a timestamp, which is read only once. */
type StampedFormat = (line: Line, stamp: Stamp) => ParsedLine | null;

/** Formats by the kind of timestamp that starts the line, the stricter first. */
const BY_STAMP: Record<Stamp['kind'], StampedFormat[]> = {
  date: [parseBesu, parseNethermind, parseLodestar, parseTeku, parseZap, parseTracing],
  slash: [parseNginxError, parseGoLog],
  clock: [parseTeku, parseCharon],
  month: [parseLighthouse, parseLodestar],
  dash: [parseLodestar],
  day: [parseNethermind],
  geth: [],
};

/** Formats by the first character of a line that starts with no timestamp. */
const CURLY: Format[] = [parseJson];
const SQUARE: Format[] = [parseErigon, parseGrandine, parsePrysm];
const LOWER: Format[] = [parseLogfmt, parseNginxStart, parseNginxAccess];
const OTHER: Format[] = [
  parseGeth,
  parseNimbus,
  parseGrandine,
  parseTimelessTracing,
  parseLogfmt,
  parseNginxAccess,
];

function firstOf<T>(formats: readonly T[], parse: (format: T) => ParsedLine | null): ParsedLine | null {
  for (const format of formats) {
    const parsed = parse(format);
    if (parsed !== null) return parsed;
  }
  return null;
}

/** The line as the first format reads it that knows it, or null. */
export function parseKnown(line: Line): ParsedLine | null {
  const first = line.text.charCodeAt(0);
  if (first === OPEN_CURLY) return firstOf(CURLY, (format) => format(line));
  // grandine wants a line number behind its module, so it leaves prysm what is prysm's.
  if (first === OPEN_SQUARE) return firstOf(SQUARE, (format) => format(line));
  const stamp = stampAt(line.text, 0);
  if (stamp !== null) return firstOf(BY_STAMP[stamp.kind], (format) => format(line, stamp));
  return firstOf(isLower(first) ? LOWER : OTHER, (format) => format(line));
}
