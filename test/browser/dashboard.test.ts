import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { type Browser, startBrowser, type Tab } from '../support/browser.ts';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** A page load, a login over SSH and the first lines, on a busy machine. */
const LONG = 30_000;

describe('dashboard', function () {
  this.timeout(60_000);
  let server: TestServer;
  let proxy: CutProxy;
  let browser: Browser;
  let tab: Tab;
  let page: Page;
  let origin: string;

  before(async function () {
    requirePart(this, 'chromium');
    server = await startServer();
    proxy = await startCutProxy(Number(new URL(server.url).port));
    origin = `http://127.0.0.1:${proxy.port}`;
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.stop();
    await proxy?.stop();
    await server?.stop();
  });

  beforeEach(async () => {
    tab = await browser.open();
    page = tab.page;
    await page.goto(origin);
  });
  afterEach(async () => {
    proxy.mend();
    await tab.close();
  });

  const log = () => page.getByRole('log');
  const badge = () => page.locator('[data-connection]');
  const card = (service: string) => page.locator(`[data-service="${service}"]`);
  const row = () => page.locator('[data-seq]');
  const alert = () => page.getByRole('main').getByRole('alert');

  async function openDemo(): Promise<void> {
    await page.getByRole('button', { name: 'Open the demo node' }).click();
    await row().first().waitFor({ timeout: LONG });
  }
  /** Sequence number of the newest line on the page. */
  async function newest(): Promise<number> {
    return Number(await row().last().getAttribute('data-seq'));
  }
  async function distanceToEnd(): Promise<number> {
    return log().evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
  }
  async function scrollUp(): Promise<void> {
    await log().hover();
    await page.mouse.wheel(0, -1500);
    await page.getByRole('button', { name: /new lines?$|Newest lines/ }).waitFor();
  }

  it('[RUN-1] opens the demo node: lines move, services have a state', async () => {
    await openDemo();
    const first = await newest();
    await until(async () => (await newest()) > first, LONG);
    await until(async () => (await distanceToEnd()) < 2);
    assert.equal(await badge().textContent(), 'Live');
    await card('execution').getByText('Active').waitFor();
    await card('csm_nimbusvalidator').getByText('Not installed').waitFor();
    assert.match((await card('execution').textContent()) ?? '', /geth.*running.*for \d.*Mem/);
    await page.getByText('demo@').waitFor();
    assert.deepEqual(tab.errors, []);
    assert.deepEqual([...tab.origins], [origin], 'nothing is fetched from anywhere else');
  });

  it('goes on after a reload without a new login, and logs out', async () => {
    await openDemo();
    await card('consensus').getByRole('button').click();
    await page.getByRole('log', { name: 'Log of consensus' }).waitFor();
    await page.reload();
    await page.getByRole('log', { name: 'Log of consensus' }).waitFor();
    await page.goto(origin);
    await row().first().waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Open the demo node' }).waitFor();
    await page.goto(`${origin}/node/`);
    await page.getByRole('button', { name: 'Open the demo node' }).waitFor();
  });

  it('stands still while the reader is further up, and says what has come since', async () => {
    await openDemo();
    await scrollUp();
    const before = await newest();
    const position = await log().evaluate((element) => element.scrollTop);
    await page.getByRole('button', { name: /[1-9]\d* new lines?/ }).click({ timeout: LONG });
    await until(async () => (await newest()) > before && (await distanceToEnd()) < 2);
    await page.keyboard.press(' ');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await page.keyboard.press(' ');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    assert.ok(position > 0);
  });

  it('loads older lines without moving what is being read', async () => {
    await openDemo();
    await log().focus();
    await page.keyboard.press('g');
    const oldest = row().first();
    // The list keeps a few rows above what is in sight: only at its very beginning the first one is in sight itself.
    await until(async () => {
      const edge = await log().evaluate((element) => element.getBoundingClientRect().top);
      const { y = -1 } = (await oldest.boundingBox()) ?? {};
      return y >= edge && (await log().evaluate((element) => element.scrollTop)) === 0;
    });
    const seq = await oldest.getAttribute('data-seq');
    const text = await oldest.textContent();
    await page.getByRole('button', { name: 'Load older lines' }).click();
    await page.locator(`[data-seq="${Number(seq) - 1}"]`).waitFor();
    const same = page.locator(`[data-seq="${seq}"]`);
    assert.equal(await same.textContent(), text);
    const top = await log().evaluate((element) => element.getBoundingClientRect().top);
    const { y = -1 } = (await same.boundingBox()) ?? {};
    assert.ok(y >= top && y < top + 100, `the line is ${y - top} px below the edge`);
  });

  it('searches, marks what it finds, and shows an invalid pattern as such', async () => {
    await openDemo();
    await page.keyboard.press('/');
    await page.keyboard.type('chain');
    await page.locator('mark').first().waitFor();
    const marks = await page.locator('mark').allTextContents();
    assert.ok(marks.every((mark) => mark.toLowerCase() === 'chain'));
    assert.match((await page.getByTestId('line-count').textContent()) ?? '', /^\d+ of \d+ lines$/);
    await until(() => /[?&]q=chain/.test(page.url()));
    await page.getByRole('searchbox').fill('(chain');
    await page.getByRole('button', { name: 'Regular expression' }).click();
    await page.getByText(/Invalid regular expression/).waitFor();
    await page.getByText(/^\d+ lines$/).waitFor();
    await page.getByRole('searchbox').fill('no such text anywhere');
    await page.getByText('No line passes the filter.').waitFor();
  });

  it('hides levels by their chips, and opens a line to its fields', async () => {
    await openDemo();
    await page.getByRole('button', { name: /^info/ }).click();
    await until(async () => {
      const texts = await row().allTextContents();
      return texts.length > 0 && texts.every((text) => !/^[\d:. -]+info/.test(text));
    });
    await until(() => /levels=/.test(page.url()));
    await row().last().getByRole('button', { name: 'Details of the line' }).click();
    await page.getByText('raw', { exact: true }).waitFor();
  });

  it('[SIO-4] reconnects by itself and goes on behind the last line, none lost, none twice', async () => {
    await openDemo();
    const before = await newest();
    proxy.cut();
    await until(async () => /Reconnecting/.test((await badge().textContent()) ?? ''));
    await alert().getByRole('button', { name: 'Reconnect now' }).waitFor({ timeout: LONG });
    // The next attempt is far enough away that it is the button which brings the connection back.
    const secondsLeft = async () => Number(/in (\d+) s/.exec((await badge().textContent()) ?? '')?.[1] ?? 0);
    await until(async () => (await secondsLeft()) >= 3, LONG);
    proxy.mend();
    await page.getByRole('button', { name: 'Reconnect now' }).click();
    await until(async () => (await badge().textContent()) === 'Live', LONG);
    await until(async () => (await newest()) > before, LONG);
    assert.equal(await page.locator('[data-gap]').count(), 0);
    const times = await row()
      .locator('span[title]')
      .evaluateAll((spans) => spans.map((span) => span.getAttribute('title')));
    assert.deepEqual(times, [...times].sort());
    assert.equal(new Set(times).size, times.length);
    assert.equal(await alert().count(), 0);
  });

  it('[SIO-8] says that the session has ended and leads to the login', async () => {
    await openDemo();
    // Another tab of the same browser logs out.
    const other = await page.context().newPage();
    await other.goto(`${origin}/node/`);
    await other.getByRole('button', { name: 'Log out' }).click();
    await until(async () => (await badge().textContent()) === 'Session ended');
    assert.match((await alert().textContent()) ?? '', /session_expired/);
    await page.getByRole('button', { name: 'Log in again' }).click();
    await page.getByRole('button', { name: 'Open the demo node' }).waitFor();
  });

  it('[SES-4] shows a refused login with its code and what helps', async () => {
    await page.getByRole('textbox', { name: 'Host' }).fill('127.0.0.1');
    await page.getByLabel('User name').fill('ops');
    await page.getByRole('textbox', { name: 'Password' }).fill('secret');
    await page.getByRole('button', { name: 'Log in over SSH' }).click();
    await alert().getByText('host_not_allowed').waitFor();
    await alert()
      .getByText(/SSH_ALLOWED_HOSTS/)
      .waitFor();
    await page.getByRole('radio', { name: 'Private key' }).click();
    await page.getByLabel('Private key', { exact: true }).fill('not a key');
    await page.getByLabel('Passphrase').fill('x');
    await page.getByRole('button', { name: 'Log in over SSH' }).click();
    await alert().getByText('invalid_key').waitFor();
  });

  for (const [name, look] of Object.entries({
    light: {},
    dark: { dark: true },
    'a phone': { width: 390, height: 844, dark: true },
  })) {
    it(`has no accessibility faults that axe can find: ${name}`, async () => {
      const own = await browser.open(look);
      try {
        await own.page.goto(origin);
        await own.page.getByText('Private key').click();
        assert.deepEqual(await own.violations(), []);
        await own.page.getByRole('button', { name: 'Open the demo node' }).click();
        await own.page.locator('[data-seq]').first().waitFor({ timeout: LONG });
        await own.page.locator('[data-service]').first().waitFor();
        assert.deepEqual(await own.violations(), []);
        await own.page.locator('[data-seq] button').first().click();
        assert.deepEqual(await own.violations(), []);
        const isWider = () => document.documentElement.scrollWidth > window.innerWidth;
        assert.equal(await own.page.evaluate(isWider), false, 'the page scrolls sideways');
        assert.deepEqual(own.errors, []);
      } finally {
        await own.close();
      }
    });
  }
});
