import { loadavg } from 'node:os';
import { replaceBlock } from '../doc-blocks.ts';
import { markdownTable } from '../markdown-table.ts';
import type { Bound, Section } from './context.ts';

export const number = (value: number, digits = 0): string =>
  Number.isFinite(value)
    ? value
        .toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
        .replaceAll(',', ' ')
    : '-';

export const kept = ({ value, relation, bound }: Bound): boolean =>
  relation === '>=' ? value >= bound : value <= bound;

const boundLine = (one: Bound): string => {
  const digits = Math.abs(one.bound) < 100 ? 2 : 0;
  return `- ${one.what}: **${number(one.value, digits)}${one.unit}** (bound: ${one.relation} ${one.bound}${one.unit}${kept(one) ? '' : ', missed'})`;
};

/** A section as Markdown. */
export function toMarkdown(section: Section): string {
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
  const parts = [
    section.method,
    markdownTable(section.head, section.rows),
    section.bounds.map(boundLine).join('\n'),
    [...section.notes, `Machine load at the end: ${load} (1, 5, 15 minutes).`].join('\n'),
  ];
  return parts.filter(Boolean).join('\n\n');
}

/** Puts a section into the document, between its markers; adds it at the end where it has none yet. */
export function writeSection(document: string, section: Section): string {
  const begin = `<!-- ${section.name}:begin`;
  const placed = document.includes(begin)
    ? document
    : `${document.trimEnd()}\n\n## ${section.title}\n\n${begin} written by npm run bench -- ${section.name} --write -->\n<!-- ${section.name}:end -->\n`;
  return replaceBlock(placed, section.name, toMarkdown(section));
}
