import { METRICS } from '../server/core/metrics.ts';
import { SETTINGS, type Setting } from '../server/settings.ts';
import { CLOSE_CODES } from '../shared/close-codes.ts';
import { ERRORS } from '../shared/errors.ts';
import { markdownTable } from './markdown-table.ts';

/** Tables that documents show and code defines. */

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { message, status, retryable, hint }]) => [
    `\`${code}\``,
    message,
    String(status),
    retryable ? 'yes' : 'no',
    hint,
  ]);
  return markdownTable(['Code', 'Message', 'HTTP', 'Retryable', 'Hint'], rows);
}

export function closeCodeTable(): string {
  const rows = Object.values(CLOSE_CODES).map(({ code, reason, mayReconnect }) => [
    String(code),
    reason,
    mayReconnect ? 'yes' : 'no',
  ]);
  return markdownTable(['Code', 'Reason', 'Reconnect by itself'], rows);
}

export function metricTable(): string {
  const rows = Object.entries(METRICS).map(([name, { kind, help, labels }]) => [
    `\`${name}\``,
    kind,
    labels.map((label) => `\`${label}\``).join(', ') || '-',
    help,
  ]);
  return markdownTable(['Metric', 'Kind', 'Labels', 'Meaning'], rows);
}

export function settingTable(): string {
  const rows = Object.values<Setting<unknown>>(SETTINGS).map((one) => {
    const names = [one.name, ...(one.aliases ?? [])].map((name) => `\`${name}\``).join(' or ');
    const fallback = one.default === undefined ? 'not set' : `\`${one.default}\``;
    const elsewhere =
      one.developmentDefault === undefined ? '' : ` (\`${one.developmentDefault}\` outside production)`;
    return [names, fallback + elsewhere, one.doc];
  });
  return markdownTable(['Variable', 'Default', 'Meaning'], rows);
}

/**
 * The events of one direction, read from the typed map in `shared/events.ts`, because types are gone at run time.
 * @param mapName `ClientToServerEvents` or `ServerToClientEvents`
 */
export function eventTable(source: string, mapName: string): string {
  const body = new RegExp(`export interface ${mapName} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1];
  if (body === undefined) throw new Error(`shared/events.ts has no interface ${mapName}`);
  const rows = body.split(/;\n|;$/).flatMap((member) => {
    const match = /^\s*(?:\/\*\*[\s\S]*?\*\/\s*)?(\w+): \(([\s\S]*)\) => void$/.exec(member);
    if (match === null) {
      if (member.trim() === '') return [];
      throw new Error(`cannot read this event of ${mapName}: ${member.trim()}`);
    }
    const [, name = '', args = ''] = match;
    return [[`\`${name}\``, args === '' ? '-' : `\`${args.replace(/\s+/g, ' ').trim()}\``]];
  });
  return markdownTable(['Event', 'Arguments'], rows);
}
