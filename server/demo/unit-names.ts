const SUFFIX = /\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;

/** A unit name as systemctl and journalctl understand it: without a known suffix it means a service. */
export function mangleUnit(name: string): string {
  return SUFFIX.test(name) ? name : `${name}.service`;
}
