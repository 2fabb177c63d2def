import { unitFileName } from '../../../shared/unit-name.ts';
import { RECORD_FIELDS } from './record.ts';

/** Whose entries to read: a unit's (with systemd's own messages about it), or those that match all `FIELD=value` terms. */
export type JournalSource = { unit: string } | { matches: readonly string[]; fields: readonly string[] };

/** Where to start. `cursor` is inclusive: the entry itself comes first if it still exists; with `lines` so many, no more. */
export type JournalStart =
  | { lines: number }
  | { cursor: string; lines?: number }
  | { since?: number | undefined };

export interface JournalQuery {
  source: JournalSource;
  start: JournalStart;
  /** Latest entry, epoch microseconds. */
  untilUs?: number;
  /** Newest first. */
  reverse?: boolean;
  follow?: boolean;
}

/** Epoch microseconds as journalctl takes a time: `@seconds.fraction` (systemd.time(7)). */
function timeArgument(us: number): string {
  const seconds = Math.floor(us / 1_000_000);
  return `@${seconds}.${String(us - seconds * 1_000_000).padStart(6, '0')}`;
}

/**
 * The command line of a query. Fixed words and checked values only; `--cursor` is inclusive because `--after-cursor`
 * together with a filter skips a line when its entry is gone (systemd/systemd#30288), and a follow from a cursor needs
 * `--no-tail` or it stalls after ten lines (systemd/systemd#4739). The export format shortens no field, as others do
 * without `--all`.
 */
export function journalctl(query: JournalQuery): string[] {
  const { source, start } = query;
  const fields = 'unit' in source ? RECORD_FIELDS : [...RECORD_FIELDS, ...source.fields];
  const argv = ['journalctl', '--no-pager', '--output=export', `--output-fields=${fields.join(',')}`];
  if ('unit' in source) argv.push(`--unit=${unitFileName(source.unit)}`);
  if (query.follow) argv.push('--follow');
  if ('lines' in start && start.lines !== undefined) argv.push(`--lines=${start.lines}`);
  else if (query.follow) argv.push('--no-tail');
  if ('cursor' in start) argv.push(`--cursor=${start.cursor}`);
  if ('since' in start && start.since !== undefined) argv.push(`--since=${timeArgument(start.since)}`);
  if (query.untilUs !== undefined) argv.push(`--until=${timeArgument(query.untilUs)}`);
  if (query.reverse) argv.push('--reverse');
  if ('matches' in source) argv.push(...source.matches);
  return argv;
}

/**
 * Reads one line of systemd itself, which stands in the system's journal only: who may read that sees it. journalctl says
 * nothing to a user who has a journal of his own and may not read the system's (measured with systemd 252).
 */
export const PERMISSION_PROBE: readonly string[] = [
  'journalctl',
  '--no-pager',
  '--output=cat',
  '--lines=1',
  '_PID=1',
];

/** Names the groups of the login user: decides where the probe finds no line at all, as in a journal just vacuumed. */
export const GROUPS_PROBE: readonly string[] = ['id', '-Gn'];

/** Groups that may read the whole journal (systemd-journald.service(8), tmpfiles.d/systemd.conf), and root. */
const JOURNAL_GROUPS = new Set(['root', 'systemd-journal', 'adm', 'wheel']);

export function inJournalGroup(groups: string): boolean {
  return groups.split(/\s+/).some((group) => JOURNAL_GROUPS.has(group));
}

/** What journalctl 249-257 says to a user outside the groups systemd-journal, adm and wheel. */
const NO_PERMISSION = /insufficient permissions|not seeing messages from other users|Permission denied/i;

export function lacksPermission(stderr: string): boolean {
  return NO_PERMISSION.test(stderr);
}
