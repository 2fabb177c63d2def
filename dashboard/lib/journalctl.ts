import type { LogFilter } from 'tailwire/client';

/** Text as one word of a POSIX shell (POSIX.1-2017, 2.2.2). */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The command that shows about the same on the host itself. journalctl knows the priority of syslog but not the level
 * inside of a line, so only the text of a filter is part of it (--grep takes PCRE2, systemd 237 or newer).
 */
export function journalctlCommand(service: string, filter: LogFilter): string {
  const { text = '', regex } = filter;
  const words = ['journalctl', `--unit=${service}.service`, '--lines=500', '--follow'];
  if (text !== '') {
    const pattern = regex === true ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    words.push(`--grep=${pattern}`, `--case-sensitive=${/\p{Lu}/u.test(text)}`);
  }
  return words.map(quoted).join(' ');
}
