/**
 * Keeps what documents say in step with the code: `.env.example`, and the generated tables in README.md,
 * ARCHITECTURE.md and shared/PROTOCOL.md. `--write` brings them up to date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { envExample } from '../server/config.ts';
import { replaceBlock } from './doc-blocks.ts';
import { closeCodeTable, errorTable, eventTable, metricTable, settingTable } from './doc-tables.ts';
import { arrowTable } from './import-rules.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const events = read('shared/events.ts');
const BLOCKS: Record<string, Record<string, string>> = {
  'README.md': { settings: settingTable() },
  'ARCHITECTURE.md': { arrows: arrowTable() },
  'shared/PROTOCOL.md': {
    'client-events': eventTable(events, 'ClientToServerEvents'),
    'server-events': eventTable(events, 'ServerToClientEvents'),
    errors: errorTable(),
    'close-codes': closeCodeTable(),
    metrics: metricTable(),
  },
};

/** Each document as it should be. */
function expected(): Map<string, string> {
  const documents = new Map([['.env.example', envExample()]]);
  for (const [file, blocks] of Object.entries(BLOCKS)) {
    let text = read(file);
    for (const [name, content] of Object.entries(blocks)) text = replaceBlock(text, name, content);
    documents.set(file, text);
  }
  return documents;
}

const write = process.argv.includes('--write');
let stale = 0;
for (const [file, text] of expected()) {
  if (existsSync(path.join(root, file)) && read(file) === text) continue;
  stale += 1;
  if (write) writeFileSync(path.join(root, file), text);
  console.log(
    write
      ? `${file}: written`
      : `${file} is not in step with the code: node --import=tsx scripts/check-docs.ts --write`,
  );
}
if (stale === 0) console.log('Every document is in step with the code.');
process.exitCode = stale > 0 && !write ? 1 : 0;
