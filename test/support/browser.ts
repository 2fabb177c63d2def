import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { atEnd } from './at-end.ts';
import { findProgram } from './parts.ts';

export interface Browser {
  /** A tab with cookies and storage of its own; wide and light unless told. */
  open(options?: { width?: number; height?: number; dark?: boolean }): Promise<Tab>;
  stop(): Promise<void>;
}

export interface Tab {
  readonly page: Page;
  /** Uncaught errors and error messages of the console, but for answers 401, which the browser itself reports. */
  readonly errors: string[];
  /** Origins asked for anything. */
  readonly origins: ReadonlySet<string>;
  /** What axe-core finds, one line a violation. */
  violations(): Promise<string[]>;
  close(): Promise<void>;
}

/** No sandbox: it needs rights that root in a container lacks. The rest keeps Chromium from talking to anybody else. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE_FILE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Starts the system's Chromium without a window, with a profile that is thrown away. */
export async function startBrowser(): Promise<Browser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'tailwire-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findProgram('chromium') ?? 'chromium',
    headless: true,
    args: FLAGS,
  });
  const instance = context.browser();
  let stopped: Promise<void> | undefined;
  const browser: Browser = {
    async open({ width = 1360, height = 850, dark = false } = {}) {
      const viewport = { width, height };
      const colorScheme = dark ? 'dark' : 'light';
      // Without motion: what is half faded in has no contrast yet.
      const settings = { viewport, colorScheme, timezoneId: 'UTC', reducedMotion: 'reduce' } as const;
      const own = await instance?.newContext(settings);
      return createTab(own ?? context);
    },
    stop() {
      stopped ??= (async () => {
        await context.close();
        await rm(profile, { recursive: true, force: true });
      })();
      return stopped;
    },
  };
  atEnd(browser.stop);
  return browser;
}

async function createTab(context: BrowserContext): Promise<Tab> {
  const page = await context.newPage();
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('401')) errors.push(message.text());
  });
  page.on('request', (request) => {
    if (/^(http|ws)/.test(request.url())) origins.add(new URL(request.url()).origin);
  });
  return {
    page,
    errors,
    origins,
    async violations() {
      await page.evaluate(await readFile(AXE_FILE, 'utf8'));
      const found = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<AxeResults> } };
        const { violations } = await axe.run();
        return violations.map(({ id, nodes }) => ({
          id,
          targets: nodes.map((node) => node.target.join(' ')),
        }));
      });
      return found.map(({ id, targets }) => `${id}: ${targets.slice(0, 3).join(', ')}`);
    },
    close: () => context.close(),
  };
}

interface AxeResults {
  violations: { id: string; nodes: { target: string[] }[] }[];
}
