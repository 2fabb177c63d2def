/**
 * `npm test` [RUN-2]: set-up, build, checks, then all tests, folder by folder. The last line is the sum:
 * `N passed, N failed, N skipped`. `npm test -- unit/config lab` runs only the test files whose path holds one of these.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { check } from './check.mjs';
import { build, ensureDependencies, main, nodeProgram, ROOT, say } from './steps.mjs';

/** Quick ones first, so that a simple mistake shows at once; each folder is a process of its own. */
const FOLDERS = ['unit', 'contracts', 'protocol', 'cluster', 'lab', 'browser'];
/** Longest test, in ms, unless it sets its own. */
const TEST_TIMEOUT_MS = 60_000;
/** Longest run of one folder, in ms. */
const FOLDER_TIMEOUT_MS = 20 * 60_000;
const HOOKS = 'test/support/hooks.ts';

/** Files named at the end because they took longest. */
const SLOWEST = 12;

const sums = { passed: 0, failed: 0, skipped: 0 };
/** What failed, told again at the end: a long log is often read, or kept, from its end only. */
const failures = [];
/** Milliseconds by test file. */
const files = {};
const add = (more) => {
  for (const key of Object.keys(sums)) sums[key] += more[key] ?? 0;
};

function testFiles(folder, patterns) {
  const dir = path.join(ROOT, 'test', folder);
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.test\.tsx?$/.test(file))
    .map((file) => path.posix.join('test', folder, file.split(path.sep).join('/')))
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort();
}

async function runFolder(folder, paths) {
  console.log(`\n== ${folder}`);
  const dir = mkdtempSync(path.join(tmpdir(), 'tailwire-test-'));
  const file = path.join(dir, 'sums.json');
  try {
    const code = await nodeProgram(
      'mocha/bin/mocha.js',
      [
        '--import=tsx',
        ...(existsSync(path.join(ROOT, HOOKS)) ? ['--require', HOOKS] : []),
        '--reporter=scripts/test-reporter.cjs',
        '--forbid-only',
        '--exit=false',
        `--timeout=${TEST_TIMEOUT_MS}`,
        ...paths,
      ],
      { env: { ...process.env, TAILWIRE_TEST_SUMS: file }, timeout: FOLDER_TIMEOUT_MS },
    );
    const told = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { failed: 0 };
    failures.push(...(told.failures ?? []));
    Object.assign(files, told.files);
    if (code !== 0 && !told.failures?.length) failures.push(`${folder}: ended with code ${code}`);
    // A run that broke off without a failed test is a failure too.
    add({ ...told, failed: Math.max(told.failed, code === 0 ? 0 : 1) });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main(async () => {
  const patterns = process.argv.slice(2);
  await ensureDependencies();
  if (patterns.length === 0) {
    const { ensureParts } = await import('./apt-parts.mjs');
    await ensureParts();
    try {
      await build(['server', 'dashboard'], { onlyStale: true });
      add({ passed: 1 });
    } catch (error) {
      say(error.message);
      failures.push(error.message);
      add({ failed: 1 });
    }
    for (const { ok, name } of await check()) {
      add(ok ? { passed: 1 } : { failed: 1 });
      if (!ok) failures.push(`npm run check: ${name}`);
    }
  }
  for (const folder of FOLDERS) {
    const paths = testFiles(folder, patterns);
    if (paths.length > 0) await runFolder(folder, paths);
  }
  if (patterns.length > 0 && sums.passed + sums.failed + sums.skipped === 0) {
    say(`no test file matches ${patterns.join(' ')}`);
    sums.failed += 1;
  }
  const slowest = Object.entries(files).sort(([, a], [, b]) => b - a);
  console.log('\n== longest files');
  for (const [file, ms] of slowest.slice(0, SLOWEST)) console.log(`${(ms / 1000).toFixed(1)} s  ${file}`);
  if (failures.length > 0) console.log(`\n== failed\n${failures.join('\n\n')}`);
  console.log(`\n${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
  process.exit(sums.failed === 0 ? 0 : 1);
});
