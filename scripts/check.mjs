/** `npm run check`: everything that can be said without running the product. All checks run, all results are shown. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDependencies, main, nodeProgram, ROOT, run } from './steps.mjs';

const script = (file) => () => run(process.execPath, ['--import=tsx', path.join('scripts', file)]);

const CHECKS = [
  ['format and lint (biome)', () => nodeProgram('@biomejs/biome/bin/biome', ['check', '.'])],
  ['types (tsc)', () => nodeProgram('typescript/bin/tsc', ['-b'])],
  ['types of the dashboard (tsc)', checkDashboardTypes],
  ['imports, file sizes', script('check-imports.ts')],
  ['documents in step with the code', script('check-docs.ts')],
];

/** Next writes next-env.d.ts before a build; without it its image and route types would be missing, which nothing here needs. */
function checkDashboardTypes() {
  if (!existsSync(path.join(ROOT, 'dashboard', 'tsconfig.json'))) return 0;
  return nodeProgram('typescript/bin/tsc', ['--noEmit', '-p', 'dashboard']);
}

/** Runs every check. @returns {Promise<{name: string, ok: boolean}[]>} */
export async function check() {
  const results = [];
  for (const [name, work] of CHECKS) {
    console.log(`\n== ${name}`);
    results.push({ name, ok: (await work()) === 0 });
  }
  console.log('');
  for (const { name, ok } of results) console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`);
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    await ensureDependencies();
    const results = await check();
    process.exit(results.every(({ ok }) => ok) ? 0 : 1);
  });
}
