import { fieldsOf, type Journal, type JournalEntry } from './journal.ts';

export const OUTPUT_FORMS = ['short', 'short-iso', 'short-unix', 'cat', 'json', 'export'] as const;
export type OutputForm = (typeof OUTPUT_FORMS)[number];

/** Name and value of a field together from which on `-o json` says null unless `--all` (systemd: Journal JSON Format). */
const JSON_THRESHOLD = 4096;

/** Control characters that make a field a byte array in JSON: C0 except tab and newline, DEL and C1. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

/** Colours of a terminal: ECMA-48, SGR. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with ESC
const SGR = /\x1b\[[0-9;]{0,32}m/g;

function jsonValue(name: string, value: string | Buffer, all: boolean): string | number[] | null {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  if (!all && name.length + 1 + bytes >= JSON_THRESHOLD) return null;
  if (typeof value === 'string') return UNPRINTABLE.test(value) ? [...Buffer.from(value)] : value;
  return [...value];
}

function jsonLine(journal: Journal, entry: JournalEntry, options: OutputOptions): string {
  const line: Record<string, string | number[] | null> = {
    __CURSOR: journal.cursorOf(entry),
    __REALTIME_TIMESTAMP: String(entry.realtime),
    __MONOTONIC_TIMESTAMP: String(entry.monotonic),
    _BOOT_ID: journal.bootId,
  };
  for (const [name, value] of Object.entries(fieldsOf(entry))) {
    if (options.fields && !options.fields.has(name)) continue;
    line[name] = jsonValue(name, value, options.all);
  }
  return `${JSON.stringify(line)}\n`;
}

/** A field in the Journal Export Format: as bytes behind their length where it is no printable text of one line. */
function exportField(name: string, value: string | Buffer): string | Buffer {
  const isText = typeof value === 'string' && !value.includes('\n') && !UNPRINTABLE.test(value);
  if (isText) return `${name}=${value}\n`;
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n')]);
}

function exportEntry(journal: Journal, entry: JournalEntry, options: OutputOptions): string | Buffer {
  const parts: (string | Buffer)[] = [
    `__CURSOR=${journal.cursorOf(entry)}\n`,
    `__REALTIME_TIMESTAMP=${entry.realtime}\n`,
    `__MONOTONIC_TIMESTAMP=${entry.monotonic}\n`,
    `_BOOT_ID=${journal.bootId}\n`,
  ];
  for (const [name, value] of Object.entries(fieldsOf(entry))) {
    if (!options.fields || options.fields.has(name)) parts.push(exportField(name, value));
  }
  parts.push('\n');
  return joinOutput(parts);
}

/** Pieces of output as one: text as long as all of them are. */
export function joinOutput(parts: readonly (string | Buffer)[]): string | Buffer {
  return parts.every((part) => typeof part === 'string')
    ? parts.join('')
    : Buffer.concat(parts.map((part) => Buffer.from(part)));
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function shortTime(form: OutputForm, us: number): string {
  if (form === 'short-unix') return (us / 1e6).toFixed(6);
  const date = new Date(Math.floor(us / 1000));
  const iso = date.toISOString();
  if (form === 'short-iso') return `${iso.slice(0, 19)}+0000`;
  return `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2, '0')} ${iso.slice(11, 19)}`;
}

export interface OutputOptions {
  form: OutputForm;
  all: boolean;
  fields: ReadonlySet<string> | null;
}

/** An entry as journalctl prints it, with the line end. */
export function formatEntry(journal: Journal, entry: JournalEntry, options: OutputOptions): string | Buffer {
  if (options.form === 'json') return jsonLine(journal, entry, options);
  if (options.form === 'export') return exportEntry(journal, entry, options);
  if (options.form === 'cat') {
    return typeof entry.message === 'string'
      ? `${entry.message}\n`
      : Buffer.concat([entry.message, Buffer.from('\n')]);
  }
  const fields = fieldsOf(entry);
  // Forms for people go without colours.
  const text = entry.message.toString().replace(SGR, '');
  const hidden = !options.all && (typeof entry.message !== 'string' || UNPRINTABLE.test(text));
  const message = hidden ? `[${Buffer.byteLength(text)}B blob data]` : text;
  const time = shortTime(options.form, entry.realtime);
  const pid = fields._PID === undefined ? '' : `[${fields._PID}]`;
  return `${time} ${fields._HOSTNAME} ${fields.SYSLOG_IDENTIFIER}${pid}: ${message}\n`;
}
