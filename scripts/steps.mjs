/**
 * What the npm scripts have in common. Plain JavaScript without dependencies, because it runs before anything is
 * installed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '..');
const STAMPS = path.join(ROOT, '.cache', 'stamps');

export function say(text) {
  console.log(`tailwire: ${text}`);
}

/** Ends with a clear message where Node itself is too old for what follows. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`tailwire: needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/**
 * Runs a program to its end with our terminal.
 * @returns {Promise<number>} its exit code; 1 for a signal
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** As `run`; throws where the program fails. */
export async function must(what, command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) throw new Error(`${what} failed (exit code ${code}).`);
}

/** Runs the JavaScript program of an installed package with this Node. */
export function nodeProgram(file, args, options) {
  return run(process.execPath, [path.join(ROOT, 'node_modules', file), ...args], options);
}

/** Installs what package-lock.json names, where node_modules is missing or older than it. */
export async function ensureDependencies() {
  const installed = path.join(ROOT, 'node_modules', '.package-lock.json');
  const lock = path.join(ROOT, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  say(existsSync(installed) ? 'package-lock.json has changed: npm ci' : 'first start: npm ci');
  // Building needs the development packages, also where NODE_ENV=production would leave them out.
  const options = ['--include=dev', '--no-audit', '--no-fund'];
  const shell = process.platform === 'win32';
  if ((await run('npm', ['ci', ...options], { shell })) === 0) return;
  // npm ci insists on packages for other platforms, which a mirror of the registry may not have.
  say('npm ci failed: npm install');
  await must('npm install', 'npm', ['install', '--no-save', ...options], { shell });
}

/** The parts of a build: what goes in, what must be there afterwards, and how. */
const PARTS = {
  server: {
    inputs: ['shared', 'server', 'client', 'tsconfig.base.json', 'package-lock.json'],
    output: 'dist/server/main.js',
    build: () => nodeProgram('typescript/bin/tsc', ['-b', 'server', 'client']),
  },
  dashboard: {
    inputs: ['shared', 'client', 'dashboard', 'package-lock.json'],
    output: 'dashboard/out/index.html',
    build: () =>
      nodeProgram('next/dist/bin/next', ['build'], {
        cwd: path.join(ROOT, 'dashboard'),
        env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
      }),
  },
};

/** Builds the named parts ('server', 'dashboard'); with `onlyStale`, those whose sources have changed since. */
export async function build(names, { onlyStale = false } = {}) {
  for (const name of names) {
    const part = PARTS[name];
    const stamp = path.join(STAMPS, name);
    const sources = hashOf(part.inputs);
    const isFresh =
      existsSync(path.join(ROOT, part.output)) &&
      existsSync(stamp) &&
      readFileSync(stamp, 'utf8') === sources;
    if (onlyStale && isFresh) continue;
    say(`building the ${name}`);
    const code = await part.build();
    if (code !== 0) throw new Error(`Building the ${name} failed (exit code ${code}).`);
    mkdirSync(STAMPS, { recursive: true });
    writeFileSync(stamp, sources);
  }
}

const SKIPPED = new Set(['node_modules', 'out', '.next', 'next-env.d.ts']);

/** One hash over the names and contents of all files under the given paths. */
function hashOf(inputs) {
  const hash = createHash('sha256');
  const visit = (file) => {
    if (!statSync(file).isDirectory()) {
      hash.update(path.relative(ROOT, file)).update('\0').update(readFileSync(file)).update('\0');
      return;
    }
    for (const name of readdirSync(file).sort()) {
      if (!SKIPPED.has(name) && !name.endsWith('.tsbuildinfo')) visit(path.join(file, name));
    }
  };
  for (const input of inputs) visit(path.join(ROOT, input));
  return hash.digest('hex');
}

/** Runs a script's main function; a failure is one line, not a stack. */
export async function main(work) {
  try {
    requireNode();
    await work();
  } catch (error) {
    console.error(`tailwire: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
