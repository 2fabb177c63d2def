/** Unit names that may reach a host's command line [SIO-9]. */
export const UNIT_NAME = /^[A-Za-z0-9:_.@\\-]{1,255}$/;

/** Suffixes systemd knows; a name without one of them means a service (systemd.unit(5)). */
const UNIT_SUFFIX = /\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;

/**
 * Brings a unit name as a client sent it into the form used inside: `.service` is dropped, so that `execution` and
 * `execution.service` are one stream.
 *
 * @returns the name, or `null` where the input is no unit name: wrong type, a character outside the set (which
 * excludes globs, spaces, quotes, `;` and newlines), a leading `-`, or empty.
 */
export function normalizeUnit(input: unknown): string | null {
  if (typeof input !== 'string' || !UNIT_NAME.test(input) || input.startsWith('-')) return null;
  const name = input.endsWith('.service') ? input.slice(0, -'.service'.length) : input;
  return name === '' || name.startsWith('-') ? null : name;
}

/** The full unit name for a command line: `execution` becomes `execution.service`, `x.timer` stays. */
export function unitFileName(service: string): string {
  return UNIT_SUFFIX.test(service) ? service : `${service}.service`;
}
