import { type OptionRule, parseOptions } from './getopt.ts';
import { type Fields, fieldOf, type JournalEntry } from './journal.ts';
import type { OutputForm } from './journal-output.ts';
import { OUTPUT_FORMS } from './journal-output.ts';
import { parseTimestamp } from './timestamps.ts';
import { mangleUnit } from './unit-names.ts';

/** What a journalctl command line asks for. */
export interface JournalQuery {
  filter: (entry: JournalEntry) => boolean;
  follow: boolean;
  reverse: boolean;
  /** Lines shown at most, or until the first wait of a follow; null for all. */
  lines: number | null;
  cursor: { text: string; after: boolean } | null;
  /** Microseconds since the epoch, both included. */
  since: number | null;
  until: number | null;
  form: OutputForm;
  /** `--all`: long and unprintable fields in full. */
  all: boolean;
  /** `--output-fields`; null for all fields. */
  fields: ReadonlySet<string> | null;
  quiet: boolean;
}

const IS_COUNT = /^(\d{1,9}|all)$/;

const RULES: readonly OptionRule[] = [
  { short: 'u', long: 'unit', value: 'required' },
  { short: 't', long: 'identifier', value: 'required' },
  { short: 'p', long: 'priority', value: 'required' },
  { short: 'f', long: 'follow', value: 'none' },
  { short: 'n', long: 'lines', value: 'optional', takes: (word) => IS_COUNT.test(word) },
  { long: 'no-tail', value: 'none' },
  { long: 'no-pager', value: 'none' },
  { long: 'no-hostname', value: 'none' },
  { short: 'q', long: 'quiet', value: 'none' },
  { short: 'o', long: 'output', value: 'required' },
  { short: 'a', long: 'all', value: 'none' },
  { short: 'l', long: 'full', value: 'none' },
  { short: 'm', long: 'merge', value: 'none' },
  { short: 'e', long: 'pager-end', value: 'none' },
  { short: 'x', long: 'catalog', value: 'none' },
  { short: 'b', long: 'boot', value: 'optional', takes: (word) => word === '0' },
  { long: 'system', value: 'none' },
  { long: 'output-fields', value: 'required' },
  { short: 'c', long: 'cursor', value: 'required' },
  { long: 'after-cursor', value: 'required' },
  { short: 'r', long: 'reverse', value: 'none' },
  { short: 'S', long: 'since', value: 'required' },
  { short: 'U', long: 'until', value: 'required' },
  { long: 'utc', value: 'none' },
  { long: 'version', value: 'none' },
];

const PRIORITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

type Filter = JournalQuery['filter'];

function has(entry: JournalEntry, wanted: Fields): boolean {
  return Object.entries(wanted).every(([name, value]) => fieldOf(entry, name) === value);
}

/**
 * `-u`: what the unit wrote, what systemd says about it, its core dumps, and what privileged daemons log on its behalf
 * (journalctl(1), option --unit; systemd 252 src/shared/logs-show.c, add_matches_for_unit).
 */
function unitFilter(names: readonly string[]): Filter {
  const units = new Set(names);
  const about = (entry: JournalEntry, field: string) => units.has(fieldOf(entry, field) ?? '');
  return (entry) =>
    about(entry, '_SYSTEMD_UNIT') ||
    (about(entry, 'UNIT') && has(entry, { _PID: '1' })) ||
    (about(entry, 'OBJECT_SYSTEMD_UNIT') && has(entry, { _UID: '0' })) ||
    (about(entry, 'COREDUMP_UNIT') &&
      has(entry, { _UID: '0', MESSAGE_ID: 'fc2e22bc6ee647b6b90729ab34a250b1' }));
}

function noSuchBoot(boot: string): string {
  const named = /^\d+$/.test(boot) ? `+${boot}` : boot;
  return `Data from the specified boot (${named}) is not available: No such boot ID in journal`;
}

/** FIELD=value terms: different fields must all match, values of one field are alternatives, `+` starts anew. */
function matchFilter(terms: readonly string[]): Filter | string {
  const groups: Map<string, Set<string>>[] = [new Map()];
  for (const term of terms) {
    if (term === '+') {
      groups.push(new Map());
      continue;
    }
    const match = /^([A-Z0-9_]{1,64})=([\s\S]*)$/.exec(term);
    if (!match) return `Failed to add match '${term}': Invalid argument`;
    const [, name = '', value = ''] = match;
    const group = groups.at(-1);
    group?.set(name, (group.get(name) ?? new Set()).add(value));
  }
  const wanted = groups.filter((group) => group.size > 0);
  return (entry) =>
    wanted.length === 0 ||
    wanted.some((group) => [...group].every(([name, values]) => values.has(fieldOf(entry, name) ?? '\0')));
}

function priorityFilter(text: string): Filter | null {
  const level = (word: string) => (/^[0-7]$/.test(word) ? Number(word) : PRIORITIES.indexOf(word));
  const [from = '', to] = text.split('..');
  const bounds = to === undefined ? [0, level(from)] : [level(from), level(to)];
  const low = Math.min(...bounds);
  const high = Math.max(...bounds);
  if (low < 0) return null;
  return (entry) => {
    const priority = fieldOf(entry, 'PRIORITY');
    return priority !== undefined && Number(priority) >= low && Number(priority) <= high;
  };
}

/**
 * Reads a journalctl command line by the rules of systemd 252 (journalctl(1)).
 *
 * @param nowMs for relative times, epoch ms
 * @returns the query; `version`; or the complaint that stands on standard error
 */
export function parseJournalctl(
  argv: readonly string[],
  nowMs: number,
): JournalQuery | 'version' | { complaint: string } {
  const parsed = parseOptions(RULES, argv);
  if (typeof parsed === 'string') return { complaint: `journalctl: ${parsed}` };
  const query: JournalQuery = {
    filter: () => true,
    follow: false,
    reverse: false,
    lines: null,
    cursor: null,
    since: null,
    until: null,
    form: 'short',
    all: false,
    fields: null,
    quiet: false,
  };
  const units: string[] = [];
  const identifiers: string[] = [];
  const filters: Filter[] = [];
  let noTail = false;
  let linesGiven = false;
  let cursors = 0;

  for (const [name, value] of parsed.options) {
    if (name === 'version') return 'version';
    if (name === 'unit') units.push(mangleUnit(value));
    else if (name === 'identifier') identifiers.push(value);
    else if (name === 'follow') query.follow = true;
    else if (name === 'reverse') query.reverse = true;
    else if (name === 'all') query.all = true;
    else if (name === 'quiet') query.quiet = true;
    else if (name === 'no-tail') noTail = true;
    else if (name === 'output-fields') query.fields = new Set(value.split(','));
    else if (name === 'lines') {
      if (value !== '' && !IS_COUNT.test(value)) return { complaint: `Failed to parse lines '${value}'` };
      linesGiven = true;
      query.lines = value === 'all' ? null : Number(value || '10');
    } else if (name === 'output') {
      const form = OUTPUT_FORMS.find((one) => one === value);
      if (!form) return { complaint: `Unknown output format '${value}'.` };
      query.form = form;
    } else if (name === 'boot' && value !== '' && value !== '0') {
      return { complaint: noSuchBoot(value) };
    } else if (name === 'priority') {
      const filter = priorityFilter(value);
      if (!filter) return { complaint: `Unknown log level ${value}` };
      filters.push(filter);
    } else if (name === 'cursor' || name === 'after-cursor') {
      if (query.cursor?.after !== (name === 'after-cursor')) cursors++;
      query.cursor = { text: value, after: name === 'after-cursor' };
    } else if (name === 'since' || name === 'until') {
      const time = parseTimestamp(value, nowMs);
      if (time === null) return { complaint: `Failed to parse timestamp: ${value}` };
      query[name] = time;
    }
  }

  if (query.since !== null && query.until !== null && query.since > query.until) {
    return { complaint: '--since= must be before --until=.' };
  }
  if (cursors + (query.since === null ? 0 : 1) > 1) {
    return { complaint: 'Please specify only one of --since=, --cursor=, and --after-cursor=.' };
  }
  if (query.follow && query.reverse) {
    return { complaint: 'Please specify either --reverse= or --follow=, not both.' };
  }
  const matches = matchFilter(parsed.operands);
  if (typeof matches === 'string') return { complaint: matches };
  filters.push(matches);
  if (units.length > 0) filters.push(unitFilter(units));
  if (identifiers.length > 0) {
    filters.push((entry) => identifiers.includes(fieldOf(entry, 'SYSLOG_IDENTIFIER') ?? ''));
  }
  query.filter = (entry) => filters.every((filter) => filter(entry));
  if (query.follow && !noTail && !linesGiven && query.since === null) query.lines = 10;
  // As in journalctl, forms for programs carry no remarks such as "-- No entries --".
  if (['json', 'export', 'cat'].includes(query.form)) query.quiet = true;
  return query;
}
