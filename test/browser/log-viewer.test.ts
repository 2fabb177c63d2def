import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { errorPayload } from '../../shared/errors.ts';
import { type Browser, startBrowser, type Tab } from '../support/browser.ts';
import { dashboardPages } from '../support/dashboard-pages.ts';
import { type FakeGateway, startFakeGateway } from '../support/fake-gateway.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/until.ts';

describe('log viewer and status cards, with lines and states made for the test', function () {
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
  });
  afterEach(async () => {
    await tab.close();
    await gateway.stop();
  });

  const row = () => page.locator('[data-seq]');
  async function open(): Promise<void> {
    await page.goto(`${gateway.url}/node/?service=execution`);
    await until(() => gateway.received.length >= 2, 20_000);
  }

  it('shows hostile lines as text: no markup, no hidden characters, no terminal commands', async () => {
    gateway.write(
      'execution',
      '<img src=x onerror="window.hit=1"> <b>bold</b>',
      'admin \u202etxt.exe\u202c nul \u0000 c1 \u009b31m',
      '\u001b]0;title\u0007\u001b[2J\u001b[31mred\u001b[0m plain \u001b[5n',
      { line: 'fields', fields: { __proto__x: '<i>1</i>', constructor: '2' } },
    );
    await open();
    await until(async () => (await row().count()) === 4);
    const texts = await row().allTextContents();
    assert.match(texts[0] ?? '', /<img src=x onerror="window.hit=1"> <b>bold<\/b>$/);
    assert.match(texts[1] ?? '', /admin ⟨U\+202E⟩txt\.exe⟨U\+202C⟩ nul \u2400 c1 ⟨U\+009B⟩31m$/);
    assert.match(texts[2] ?? '', /\.\d{3}red plain $/);
    assert.match(texts[3] ?? '', /fields __proto__x=<i>1<\/i> constructor=2$/);
    assert.equal(await page.locator('[data-seq] img, [data-seq] b, [data-seq] i').count(), 0);
    assert.equal(await row().nth(2).locator('.ansi-red-fg').textContent(), 'red');
    assert.equal(await page.evaluate('window.hit'), undefined);
    assert.deepEqual(tab.errors, []);
  });

  it('cuts a line of 48 kB in the list and shows all of it in its details', async () => {
    gateway.write('execution', 'x'.repeat(48_000));
    await open();
    await page.getByText('46000 more characters').waitFor();
    await row().getByRole('button', { name: 'Details of the line' }).click();
    await until(async () => ((await row().locator('dl').textContent()) ?? '').includes('x'.repeat(48_000)));
  });

  it('[SIO-4] shows a gap as a row between the lines', async () => {
    gateway.write('execution', 'before');
    await open();
    await row().waitFor();
    gateway.cut();
    gateway.write('execution', 'gone', 'after');
    gateway.vacuum('execution', 2);
    const gap = page.locator('[data-gap="journal_vacuumed"]');
    await gap.waitFor();
    assert.match(
      (await gap.textContent()) ?? '',
      /^Lines are missing here\. The journal on the host was vacuumed/,
    );
    await until(async () => (await row().count()) === 2);
  });

  it('keeps continuation lines with their entry when levels are hidden', async () => {
    gateway.write(
      'execution',
      { line: 'ERROR boom', level: 'error', message: 'boom' },
      { line: '  at f()', continuation: true },
      { line: 'INFO fine', level: 'info', message: 'fine' },
      'no level at all',
    );
    await open();
    await page.getByRole('button', { name: /^error/ }).click();
    await until(async () => (await row().count()) === 2);
    assert.match((await row().allTextContents()).join('\n'), /fine\n.*no level at all$/);
  });

  it('[SIO-6] sorts the cards by need, and unknown is not down', async () => {
    await open();
    gateway.sendStatus([
      {
        service: 'execution',
        status: 'active',
        subState: 'running',
        client: 'geth',
        memoryBytes: 8_589_934_592,
      },
      { service: 'charon', status: 'not_installed' },
      {
        service: 'consensus',
        status: 'failed',
        subState: 'failed',
        result: 'exit-code',
        exitCode: 1,
        restarts: 5,
      },
      { service: 'validator', status: 'unknown' },
    ]);
    await page.locator('[data-service]').first().waitFor();
    const cards = await page.locator('[data-service]').allTextContents();
    assert.deepEqual(
      cards.map((text) => text.replace(/for .*|No data.*|Result.*/, '')),
      ['consensusFailedfailed', 'validatorUnknown', 'executiongethActiverunning', 'charonNot installed'],
    );
    assert.match(cards[0] ?? '', /Result: exit-code, status 1Restarts5/);
    assert.match(cards[2] ?? '', /Mem8\.0 GiB/);
    await until(async () => (await page.title()) === '(1 failed) node-1.example · Tailwire');
    gateway.emit('status_transition', {
      service: 'execution',
      from: 'active',
      to: 'failed',
      at: '2026-01-01T00:00:00.000Z',
      cause: 'Main process exited, status=1/FAILURE',
      lines: [],
    });
    await page.getByText('execution: Active → Failed').waitFor();
    assert.deepEqual(await tab.violations(), []);
  });

  it('[SIO-7] shows errors of the host and of a service with a way out', async () => {
    await open();
    gateway.emit('error', errorPayload('ssh_connection_error'));
    await page.getByText('ssh_connection_error').waitFor();
    gateway.emit('error', errorPayload('journal_permission', { service: 'execution' }));
    await page.getByText('journal_permission').waitFor();
    assert.deepEqual(await tab.violations(), []);
    await page.getByRole('button', { name: 'Check again' }).click();
    await until(() => gateway.received.filter((line) => line.startsWith('subscribe_status')).length === 2);
    await page.getByRole('button', { name: 'Try again' }).click();
    await until(() => gateway.received.at(-1)?.startsWith('subscribe_logs'));
    await page.getByText('journal_permission').waitFor({ state: 'detached' });
    gateway.sendStatus([{ service: 'execution', status: 'active' }]);
    await page.getByText('ssh_connection_error').waitFor({ state: 'detached' });
  });

  it('stays usable at 50 000 lines and in a burst: the page holds only what is in sight', async () => {
    await open();
    for (let from = 0; from < 60_000; from += 1000) {
      gateway.write('execution', ...Array.from({ length: 1000 }, (_, n) => `line ${from + n}`));
    }
    await page.getByText(/^50000 lines$/).waitFor({ timeout: 20_000 });
    await until(async () => /line 59999$/.test((await row().last().textContent()) ?? ''));
    assert.ok((await row().count()) < 150);
    await page.getByRole('log').focus();
    await page.keyboard.press('g');
    await page.getByText('10000 older lines were let go to save memory.').waitFor();
    await page.keyboard.press('Shift+G');
    await until(async () => /line 59999$/.test((await row().last().textContent()) ?? ''));
    gateway.write('execution', 'the newest');
    await page.getByText('the newest').waitFor();
    assert.deepEqual(tab.errors, []);
  });

  it('moves a mark with the keyboard and opens the marked line', async () => {
    gateway.write('execution', 'one', 'two', 'three');
    await open();
    await until(async () => (await row().count()) === 3);
    await page.keyboard.press('k');
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    await row().nth(1).locator('dl').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});
