const UNIT_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  sec: 1e6,
  second: 1e6,
  seconds: 1e6,
  m: 6e7,
  min: 6e7,
  minute: 6e7,
  minutes: 6e7,
  h: 3.6e9,
  hr: 3.6e9,
  hour: 3.6e9,
  hours: 3.6e9,
  d: 8.64e10,
  day: 8.64e10,
  days: 8.64e10,
  w: 6.048e11,
  week: 6.048e11,
  weeks: 6.048e11,
};

function span(text: string): number | null {
  let total = 0;
  const parts = text.trim().match(/\d{1,9}(?:\.\d{1,6})?\s{0,3}[a-z]*/g);
  if (!parts || parts.join('').replaceAll(' ', '') !== text.replaceAll(' ', '')) return null;
  for (const part of parts) {
    const [, number = '', unit = ''] = /^([\d.]+)\s*([a-z]*)$/.exec(part) ?? [];
    const factor = UNIT_US[unit === '' ? 's' : unit];
    if (factor === undefined) return null;
    total += Number(number) * factor;
  }
  return Math.round(total);
}

function midnight(nowMs: number, daysBack: number): number {
  return (Math.floor(nowMs / 86_400_000) - daysBack) * 8.64e10;
}

/**
 * A point in time as `journalctl --since` takes it (systemd.time(7)): `@seconds.fraction`, `now`, `today`, `yesterday`,
 * `-1h 30min`, `2 hours ago`, `YYYY-MM-DD[ HH:MM[:SS[.us]]][ UTC]`, and RFC 3339. The host's zone is UTC.
 *
 * @returns microseconds since the epoch; null where the text is none of these
 */
export function parseTimestamp(text: string, nowMs: number): number | null {
  const unix = /^@(\d{1,11})(?:\.(\d{1,6})\d*)?$/.exec(text);
  if (unix) return Number(unix[1]) * 1e6 + Number((unix[2] ?? '').padEnd(6, '0'));
  if (text === 'now') return Math.floor(nowMs * 1000);
  if (text === 'today') return midnight(nowMs, 0);
  if (text === 'yesterday') return midnight(nowMs, 1);
  const relative = /^-(.{1,60})$/.exec(text) ?? /^(.{1,60}) ago$/.exec(text);
  if (relative) {
    const back = span(relative[1] ?? '');
    return back === null ? null : Math.floor(nowMs * 1000) - back;
  }
  const date =
    /^(?:[A-Z][a-z]{2} )?(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(?: ?(?:UTC|Z|\+00:00))?$/.exec(
      text,
    );
  if (!date) return null;
  const [, day, minutes = '00:00', seconds = '00', fraction = ''] = date;
  const ms = Date.parse(`${day}T${minutes}:${seconds}Z`);
  return Number.isNaN(ms) ? null : ms * 1000 + Number(fraction.padEnd(6, '0'));
}
