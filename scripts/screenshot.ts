/**
 * Takes the picture of the README: `node --import=tsx scripts/screenshot.ts [FILE]`. Starts a server of its own, opens
 * the demo node in the system's Chromium, lets it run for a while, and writes `docs/dashboard.png`. Run
 * `npm run build` before.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const ROOT = path.resolve(import.meta.dirname, '..');
const FILE = path.resolve(process.argv[2] ?? path.join(ROOT, 'docs', 'dashboard.png'));
/** Long enough for the strips of checks to have something to show, in ms. */
const RUN_FOR = 60_000;
const SIZE = { width: 1360, height: 800 };

/** Starts a server on a free port. @returns its address and how to end it */
async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const child = spawn(process.execPath, ['--import=tsx', 'server/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', NODE_ENV: 'development', EMBEDDED: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /Tailwire ready on (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    return {
      url,
      stop() {
        child.kill('SIGTERM');
        return ended;
      },
    };
  }
  throw new Error('The server ended before it was ready.');
}

const server = await startServer();
const profile = await mkdtemp(path.join(tmpdir(), 'tailwire-picture-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: SIZE,
  deviceScaleFactor: 1.5,
  colorScheme: 'dark',
  timezoneId: 'UTC',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(server.url);
  await page.getByRole('button', { name: 'Open the demo node' }).click();
  await page.locator('[data-seq]').first().waitFor();
  await page.waitForTimeout(RUN_FOR);
  await page.screenshot({ path: FILE });
  console.log(`Written: ${FILE}`);
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
  await server.stop();
}
