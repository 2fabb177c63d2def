import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { type Browser, startBrowser, type Tab } from '../support/browser.ts';
import { dashboardPages } from '../support/dashboard-pages.ts';
import { type FakeGateway, startFakeGateway } from '../support/fake-gateway.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/until.ts';

/** Control characters but line feed, and bidirectional overrides. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
const ACTING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('entries in the log viewer', function () {
  this.timeout(60_000);
  let gateway: FakeGateway;
  let browser: Browser;
  let tab: Tab;
  let page: Page;

  before(async function () {
    requirePart(this, 'chromium');
    browser = await startBrowser();
  });
  after(() => browser?.stop());

  beforeEach(async () => {
    gateway = await startFakeGateway({ pages: dashboardPages() });
    tab = await browser.open();
    page = tab.page;
    // What is copied, as the page hands it to the browser.
    await page.addInitScript(
      'Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { window.copied = text; } } });',
    );
  });
  afterEach(async () => {
    await tab.close();
    await gateway.stop();
  });

  const row = () => page.locator('[data-seq]');
  const fold = () => page.locator('[data-fold]');
  const copied = () => page.evaluate('window.copied') as Promise<string>;
  async function open(query = 'service=execution'): Promise<void> {
    await page.goto(`${gateway.url}/node/?${query}`);
    await until(() => gateway.received.length >= 2, 20_000);
  }
  const trace = (name: string, frames: number) => [
    { line: `ERROR ${name}`, level: 'error' as const, message: name },
    ...Array.from({ length: frames }, (_, n) => ({ line: `  at frame${n}()`, continuation: true })),
  ];

  it('folds a long stack trace, opens it, and copies all of it', async () => {
    gateway.write('execution', 'start', ...trace('boom', 30), ...trace('small', 3), 'end');
    await open();
    await until(async () => (await row().count()) === 1 + 4 + 4 + 1);
    assert.equal(await fold().count(), 1);
    assert.equal(await fold().textContent(), '27 more lines of this entry');
    assert.deepEqual(await tab.violations(), []);
    await row().filter({ hasText: 'boom' }).hover();
    await row().filter({ hasText: 'boom' }).getByRole('button', { name: 'Copy the line' }).click();
    await until(async () => (await copied()) !== undefined);
    const text = await copied();
    assert.deepEqual(text.split('\n'), [
      'ERROR boom',
      ...Array.from({ length: 30 }, (_, n) => `  at frame${n}()`),
    ]);
    await fold().getByRole('button').click();
    await until(async () => (await row().count()) === 1 + 31 + 4 + 1);
    await fold().getByRole('button', { name: 'Show fewer lines' }).click();
    await until(async () => (await row().count()) === 10);
    // The mark stands on the fold now; coming back to it with the keyboard it opens like any row.
    await page.getByRole('log').focus();
    await page.keyboard.press('k');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await until(async () => (await row().count()) === 37);
    assert.deepEqual(tab.errors, []);
  });

  it('hides nothing that a search may have found, and brings the whole entry', async () => {
    gateway.write('execution', 'start', ...trace('boom', 30), 'end');
    await open('service=execution&q=boom');
    await until(async () => (await row().count()) === 31);
    assert.equal(await fold().count(), 0);
  });

  it('shows the colours of the raw line in its message, and copies and describes hostile lines harmlessly', async () => {
    gateway.write('execution', {
      line: '\u001b[33mWARN \u001b[0m[01-02|03:04:05] a \u001b[31mred\u001b[0m word \u001b]0;t\u0007\u009b2J \u202egnp.exe',
      level: 'warn',
      message: 'a red word',
      fields: { 'k\u202e': 'v\u001b[2J' },
    });
    await open();
    await row().waitFor();
    assert.equal(await row().locator('.ansi-red-fg').textContent(), 'red');
    await row().getByRole('button', { name: 'Details of the line' }).click();
    assert.doesNotMatch((await row().textContent()) ?? '', ACTING);
    for (const name of ['Entry', 'JSON']) {
      await row().getByRole('button', { name, exact: true }).click();
      await page
        .getByText(`${name === 'Entry' ? 'Line' : name} copied`)
        .first()
        .waitFor();
      assert.doesNotMatch(await copied(), ACTING);
    }
    const json = JSON.parse(await copied()) as { line: string };
    assert.ok(json.line.startsWith('\u001b[33mWARN'));
    assert.deepEqual(await tab.violations(), []);
  });

  it('[SIO-5] searches older lines on the host while a filter is on', async () => {
    gateway.write(
      'execution',
      ...Array.from({ length: 3000 }, (_, n) => `${n % 100 === 7 ? 'needle' : 'hay'} ${n}`),
    );
    await open('service=execution&q=needle');
    await until(async () => (await row().count()) === 5);
    await page.getByRole('button', { name: 'Search older lines' }).click();
    await page.getByText('25 older lines found. The log has no older line that passes.').waitFor();
    await page.getByRole('log').focus();
    await page.keyboard.press('g');
    await until(async () => /needle 7$/.test((await row().first().textContent()) ?? ''));
    assert.equal(await row().count(), 30);
    assert.deepEqual(await tab.violations(), []);
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await page.getByText('500 lines').waitFor();
  });

  it('opens a link to a line with what stands around it', async () => {
    gateway.write('execution', ...Array.from({ length: 2000 }, (_, n) => `line ${n + 1}`));
    await open('service=execution&line=execution:700');
    const dialog = page.getByRole('dialog', { name: 'A line of execution in context' });
    const marked = dialog.locator('[data-context]');
    await marked.waitFor();
    assert.match((await marked.textContent()) ?? '', /line 700$/);
    const rows = dialog.locator('[data-seq]');
    assert.equal(await rows.count(), 51);
    assert.match((await rows.first().textContent()) ?? '', /line 675$/);
    await until(() => marked.evaluate((element) => element.getBoundingClientRect().top > 200));
    assert.deepEqual(await tab.violations(), []);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await until(() => !page.url().includes('line='));

    await row().first().getByRole('button', { name: 'Details of the line' }).click();
    await row().getByRole('button', { name: 'Link' }).click();
    const link = new URL(await copied());
    assert.equal(link.searchParams.get('service'), 'execution');
    await row().getByRole('button', { name: 'In context' }).click();
    await until(() => page.url().includes('line='));
    assert.equal(new URL(page.url()).searchParams.get('line'), link.searchParams.get('line'));
  });

  it('says so where the line of a link is gone, and begins at the first line', async () => {
    gateway.write('execution', ...Array.from({ length: 20 }, (_, n) => `line ${n + 1}`));
    gateway.vacuum('execution', 5);
    await open('service=execution&line=execution:3');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('The journal has this line no more.').waitFor();
    assert.equal(await dialog.locator('[data-seq]').count(), 15);
    await page.goto(`${gateway.url}/node/?service=execution&line=execution:6`);
    assert.match((await dialog.locator('[data-context]').textContent()) ?? '', /line 6$/);
  });

  it('[SIO-6] shows what a client says about its chain', async () => {
    await open();
    gateway.sendStatus([
      {
        service: 'execution',
        status: 'active',
        client: 'geth',
        facts: { headBlock: 22460123, peers: 50, synced: true, syncDistance: 0 },
      },
      {
        service: 'consensus',
        status: 'active',
        client: 'lighthouse',
        facts: { headSlot: 11640000, peers: 0, synced: false, syncDistance: 8071, finalizedEpoch: 363700 },
      },
    ]);
    const chain = (service: string) => page.locator(`[data-service="${service}"] [data-chain]`);
    await chain('execution').waitFor();
    assert.equal(await chain('execution').textContent(), 'Block22,460,123Peers50Syncin sync');
    assert.equal(await chain('consensus').textContent(), 'Slot11,640,000Peers0Sync8,071 behind');
    assert.equal(
      await chain('consensus').locator('[title]').getAttribute('title'),
      'finalized epoch 363,700',
    );
    assert.deepEqual(await tab.violations(), []);
  });

  it('announces new errors to those who ask for it, and no lines otherwise', async () => {
    gateway.write('execution', { line: 'ERROR old', level: 'error', message: 'old' });
    await open();
    await row().waitFor();
    await page.keyboard.press('?');
    await page.getByLabel('Announce new errors to a screen reader').check();
    assert.deepEqual(await tab.violations(), []);
    await page.keyboard.press('Escape');
    gateway.write('execution', 'fine', { line: 'ERROR one', level: 'error', message: 'one' });
    gateway.write('execution', { line: 'ERROR two', level: 'error', message: 'two' });
    await until(
      async () => (await page.locator('[data-announcer]').textContent()) === '2 new errors, the last: two',
      10_000,
    );
  });

  it('counts lines in the title while the page is out of sight', async () => {
    gateway.write('execution', 'one');
    await open();
    await row().waitFor();
    const hide = (hidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await hide(true);
    gateway.write('execution', 'two', 'three');
    await until(async () => (await page.title()) === '(2 new) node-1.example · Tailwire');
    await hide(false);
    await until(async () => (await page.title()) === 'node-1.example · Tailwire');
  });

  it('tells the command that shows the same on the host', async () => {
    gateway.write('execution', "it's here");
    await open(`service=execution&q=${encodeURIComponent("it's (x)")}`);
    await page.getByRole('button', { name: 'Download' }).click();
    await page.getByRole('menuitem', { name: /Copy the command/ }).click();
    await until(async () => (await copied()) !== undefined);
    assert.equal(
      await copied(),
      "journalctl --unit=execution.service --lines=500 --follow '--grep=it'\\''s \\(x\\)' --case-sensitive=false",
    );
  });
});
