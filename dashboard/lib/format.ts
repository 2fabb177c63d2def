const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes for a reader: `3.2 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A number with its thousands apart: `19,369,001`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A length of time in its two largest units: `3 d 4 h`, `12 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** A share of one core: `0.4 %`, `120 %`. */
export function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

export type TimeZone = 'local' | 'utc';

/** The time of a log line: `14:03:07.123`, with the date in front where it is not today's. */
export function formatLogTime(iso: string, zone: TimeZone, now: number = Date.now()): string {
  const shifted = zone === 'utc' ? iso : localIso(new Date(iso));
  const today = zone === 'utc' ? new Date(now).toISOString() : localIso(new Date(now));
  const time = shifted.slice(11, 23);
  return shifted.slice(0, 10) === today.slice(0, 10) ? time : `${shifted.slice(5, 10)} ${time}`;
}

/** An instant in full, for tooltips and details. */
export function formatInstant(iso: string, zone: TimeZone): string {
  if (zone === 'utc') return iso.replace('T', ' ').replace('Z', ' UTC');
  return localIso(new Date(iso)).replace('T', ' ');
}

/** A clock time: `14:03`. */
export function formatClock(at: number): string {
  return localIso(new Date(at)).slice(11, 16);
}

function localIso(date: Date): string {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, -1);
}
