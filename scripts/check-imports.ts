/**
 * Checks imports, library homes, cycles and file sizes, and that ARCHITECTURE.md shows the same arrows.
 * `--table` prints the arrows.
 */
import path from 'node:path';
import { checkImports } from './import-check.ts';
import { arrowTable } from './import-rules.ts';

const root = path.resolve(import.meta.dirname, '..');

if (process.argv.includes('--table')) {
  console.log(arrowTable());
} else {
  const faults = checkImports(root);
  for (const fault of faults) console.error(fault);
  console.log(faults.length === 0 ? 'Every import follows the arrows.' : `${faults.length} faults.`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
