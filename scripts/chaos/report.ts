import { loadavg } from 'node:os';
import type { Outcome } from './run.ts';

const HEADS = [
  'scenario',
  'repeats',
  'rate/s',
  'viewers',
  'lines',
  'delivered',
  'lost',
  'dup',
  'reord',
  'silent gaps',
  'take-over p50',
  'p99',
  'max',
];

/** The outcomes as a table, then what has to be said about each, and the machine's load. */
export function report(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ scenario, size, lines, delivered, verdict, takeOver }) => [
    scenario.rule,
    String(size.repeats),
    String(size.rate),
    String(size.viewers),
    String(lines),
    String(delivered),
    String(verdict.lost),
    String(verdict.duplicated),
    String(verdict.reordered),
    String(verdict.silentGaps),
    ...[takeOver.p50, takeOver.p99, takeOver.max].map(seconds),
  ]);
  const widths = HEADS.map((head, n) => Math.max(head.length, ...rows.map((row) => row[n]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join(' | ')} |`;
  const remarks = outcomes.flatMap(({ scenario, notes, violations }) => [
    `${scenario.rule} ${scenario.title}: ${notes.join('; ')}`,
    ...violations.map((violation) => `  VIOLATION: ${violation}`),
  ]);
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
  return [
    line(HEADS),
    `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`,
    ...rows.map(line),
    '',
    ...remarks,
    `machine load ${load}`,
  ].join('\n');
}

function seconds(ms: number): string {
  return Number.isNaN(ms) ? '-' : `${(ms / 1000).toFixed(2)} s`;
}
