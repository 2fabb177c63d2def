import { digitsEnd, isBlank, isDigit, isLetter } from './chars.ts';
import { NO_TIME, type When } from './types.ts';

/**
 * The timestamp a line starts with.
 * `date` 2024-01-31 (T or space) 10:00:00, `slash` 2024/01/31 10:00:00, `clock` 10:00:00, `month` Jan 31 10:00:00,
 * `dash` Jan-31 10:00:00, `day` 31 Jan 10:00:00, `geth` 01-31|10:00:00.
 */
export interface Stamp extends When {
  kind: 'date' | 'slash' | 'clock' | 'month' | 'dash' | 'day' | 'geth';
  /** Index of the first character after it. */
  end: number;
  /** True where date and clock are joined by `T`. */
  iso: boolean;
}

/** The two-digit number at `pos`, or -1. */
function two(text: string, pos: number): number {
  const tens = text.charCodeAt(pos) - 48;
  const ones = text.charCodeAt(pos + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

/** Index after `HH:MM:SS` at `pos`, or -1. */
export function clockEnd(text: string, pos: number): number {
  if (text.charCodeAt(pos + 2) !== 58 || text.charCodeAt(pos + 5) !== 58) return -1;
  const [hour, minute, second] = [two(text, pos), two(text, pos + 3), two(text, pos + 6)];
  const valid = hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
  return valid && !isDigit(text.charCodeAt(pos + 8)) ? pos + 8 : -1;
}

/** Index after the fraction (`.123` or `,123`) at `pos`, or `pos`. */
function fractionEnd(text: string, pos: number): number {
  const mark = text.charCodeAt(pos);
  if (mark !== 46 && mark !== 44) return pos;
  const end = digitsEnd(text, pos + 1);
  return end === pos + 1 ? pos : end;
}

/** Index after `HH:MM:SS` and its fraction at `pos`, or -1. */
function fullClockEnd(text: string, pos: number): number {
  const end = clockEnd(text, pos);
  return end < 0 ? -1 : fractionEnd(text, end);
}

/** The offset in minutes at `pos` (`Z`, `+01:00`, `+0100`, `+01`) and the index after it; null minutes: none printed. */
function zoneAt(text: string, pos: number): { minutes: number | null; end: number } {
  const mark = text.charCodeAt(pos);
  if (mark === 90) return { minutes: 0, end: pos + 1 };
  if (mark !== 43 && mark !== 45) return { minutes: null, end: pos };
  const hours = two(text, pos + 1);
  if (hours < 0 || hours > 23) return { minutes: null, end: pos };
  const colon = text.charCodeAt(pos + 3) === 58 ? 1 : 0;
  const minutes = two(text, pos + 3 + colon);
  const sign = mark === 45 ? -1 : 1;
  if (minutes < 0 || minutes > 59) return { minutes: sign * hours * 60, end: pos + 3 };
  return { minutes: sign * (hours * 60 + minutes), end: pos + 5 + colon };
}

/**
 * ISO 8601 UTC of the wall time `YYYY-MM-DD`, `HH:MM:SS` at `offset` minutes east of UTC; the fraction (digits only)
 * is carried over as it is. Null where no such day exists.
 */
export function toUtc(date: string, clock: string, fraction: string, offset: number): string | null {
  const tail = fraction === '' ? 'Z' : `.${fraction}Z`;
  const month = two(date, 5);
  const day = two(date, 8);
  if (month < 1 || month > 12 || day < 1 || day > 31) return null;
  if (offset === 0) return `${date}T${clock}${tail}`;
  const wall = Date.parse(`${date}T${clock}Z`);
  if (Number.isNaN(wall)) return null;
  const utc = new Date(wall - offset * 60_000);
  const year = utc.getUTCFullYear();
  return year < 0 || year > 9999 ? null : `${utc.toISOString().slice(0, 19)}${tail}`;
}

function dated(text: string, pos: number, kind: 'date' | 'slash'): Stamp | null {
  const mark = kind === 'date' ? 45 : 47;
  if (text.charCodeAt(pos + 7) !== mark || two(text, pos + 5) < 0 || two(text, pos + 8) < 0) return null;
  const joint = text.charCodeAt(pos + 10);
  if (joint !== 84 && joint !== 32) return null;
  const clock = clockEnd(text, pos + 11);
  if (clock < 0) return null;
  const fraction = fractionEnd(text, clock);
  const zone = kind === 'date' ? zoneAt(text, fraction) : { minutes: null, end: fraction };
  const day = text.slice(pos, pos + 10);
  const time = toUtc(
    kind === 'date' ? day : day.replaceAll('/', '-'),
    text.slice(pos + 11, clock),
    text.slice(clock + 1, fraction),
    zone.minutes ?? 0,
  );
  const timeRaw = time === null ? text.slice(pos, zone.end) : null;
  return { kind, end: zone.end, time, timeRaw, iso: joint === 84 };
}

/** Longest month name looked for, in characters; names may be of any language. */
const MONTH_MAX = 12;

/** Index after the letters (any script, and a dot) at `pos`, or -1 if there are none or too many. */
function monthEnd(text: string, pos: number): number {
  let at = pos;
  while (isLetter(text.charCodeAt(at)) || text.charCodeAt(at) > 127) {
    if (++at - pos > MONTH_MAX) return -1;
  }
  if (at === pos) return -1;
  return text.charCodeAt(at) === 46 ? at + 1 : at;
}

const undated = (text: string, pos: number, end: number, kind: Stamp['kind']): Stamp => ({
  kind,
  end,
  time: null,
  timeRaw: text.slice(pos, end),
  iso: false,
});

/** `Jan 31 10:00:00` and `Jan-31 10:00:00`. */
function monthFirst(text: string, pos: number): Stamp | null {
  const name = monthEnd(text, pos);
  if (name < pos + 3) return null;
  const dash = text.charCodeAt(name) === 45;
  if (!dash && !isBlank(text.charCodeAt(name))) return null;
  let at = name + 1;
  if (!dash && isBlank(text.charCodeAt(at))) at++;
  const day = digitsEnd(text, at);
  if (day === at || day > at + 2 || text.charCodeAt(day) !== 32) return null;
  const end = fullClockEnd(text, day + 1);
  return end < 0 ? null : undated(text, pos, end, dash ? 'dash' : 'month');
}

/** `31 Jan 10:00:00` at `pos`, where `day` is the index after the day. */
function dayFirst(text: string, pos: number, day: number): Stamp | null {
  const name = monthEnd(text, day + 1);
  if (name < 0 || text.charCodeAt(name) !== 32) return null;
  const end = fullClockEnd(text, name + 1);
  return end < 0 ? null : undated(text, pos, end, 'day');
}

/** The timestamp at `pos`, or null. */
export function stampAt(text: string, pos: number): Stamp | null {
  const first = text.charCodeAt(pos);
  if (!isDigit(first)) return monthFirst(text, pos);
  const second = text.charCodeAt(pos + 1);
  if (!isDigit(second)) return second === 32 ? dayFirst(text, pos, pos + 1) : null;
  const third = text.charCodeAt(pos + 2);
  if (third === 58) {
    const end = fullClockEnd(text, pos);
    if (end >= 0) return undated(text, pos, end, 'clock');
    // A clock without seconds, as charon's console can be set to.
    const short = two(text, pos) <= 23 && two(text, pos + 3) >= 0 && two(text, pos + 3) <= 59;
    return short && text.charCodeAt(pos + 5) === 32 ? undated(text, pos, pos + 5, 'clock') : null;
  }
  if (third === 32) return dayFirst(text, pos, pos + 2);
  if (third === 45) {
    if (two(text, pos + 3) < 0 || text.charCodeAt(pos + 5) !== 124) return null;
    const end = fullClockEnd(text, pos + 6);
    return end < 0 ? null : undated(text, pos, end, 'geth');
  }
  if (!isDigit(third) || !isDigit(text.charCodeAt(pos + 3))) return null;
  const mark = text.charCodeAt(pos + 4);
  if (mark === 45) return dated(text, pos, 'date');
  return mark === 47 ? dated(text, pos, 'slash') : null;
}

/** The time a value of its own holds: parsed if the whole text is one timestamp, else the text as `timeRaw`. */
export function whenOf(text: string): When {
  if (text === '') return NO_TIME;
  const stamp = stampAt(text, 0);
  if (stamp !== null && stamp.end === text.length && stamp.time !== null) {
    return { time: stamp.time, timeRaw: null };
  }
  return { time: null, timeRaw: text };
}

/** Largest epoch in seconds taken for one (year 5138); larger numbers count milliseconds. */
const SECONDS_BELOW = 1e11;
/** Smallest number taken for an epoch at all (1973 in seconds). */
const EPOCH_FROM = 1e8;

/** The time of a number as printed: epoch milliseconds (pino; 3 fraction digits) or seconds (zap; fraction as printed). */
export function whenOfEpoch(printed: string): When | null {
  const value = Number(printed);
  if (!Number.isFinite(value) || value < EPOCH_FROM || value >= 1e14) return null;
  if (value >= SECONDS_BELOW) {
    return { time: new Date(Math.floor(value)).toISOString(), timeRaw: null };
  }
  const whole = new Date(Math.floor(value) * 1000).toISOString().slice(0, 19);
  const plain = digitsEnd(printed, 0);
  // `1.7000000001234567e+09`, as zap's console prints it: the digits behind the whole seconds are the fraction.
  const mark = printed.search(/[eE]/);
  const shift = mark < 0 ? 0 : Number(printed.slice(mark + 1));
  const digits = printed.charCodeAt(plain) === 46 ? digitsEnd(printed, plain + 1) : plain;
  const fraction = printed.slice(plain + 1, digits).slice(Math.max(0, shift));
  return { time: fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`, timeRaw: null };
}
