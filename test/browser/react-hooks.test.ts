import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, startBrowser, type Tab } from '../support/browser.ts';
import { type FakeGateway, startFakeGateway } from '../support/fake-gateway.ts';
import { requirePart } from '../support/parts.ts';
import { until } from '../support/until.ts';

/** The page of `hooks-page.tsx`, as one script for a browser, with React's development build: that mounts twice. */
async function bundlePage(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('../support/hooks-page.tsx', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'error',
  });
  return result.outputFiles[0]?.text ?? '';
}

describe('React hooks in a browser, in StrictMode', function () {
  this.timeout(60_000);
  let gateway: FakeGateway;
  let browser: Browser;
  let tab: Tab;
  let script: string;

  before(async function () {
    requirePart(this, 'chromium');
    script = await bundlePage();
    browser = await startBrowser();
  });
  after(() => browser?.stop());

  beforeEach(async () => {
    gateway = await startFakeGateway();
    gateway.write('execution', 'one', 'two');
    tab = await browser.open();
    await tab.page.setContent('<div id="root"></div>');
    await tab.page.evaluate(`window.gatewayUrl = ${JSON.stringify(gateway.url)}`);
    await tab.page.addScriptTag({ content: script });
  });
  afterEach(async () => {
    await tab.close();
    await gateway.stop();
  });

  const text = async (id: string) => (await tab.page.locator(`#${id}`).textContent()) ?? '';
  const click = (name: string) => tab.page.getByRole('button', { name }).click();

  it('mounting twice joins once, on one connection', async () => {
    await until(async () => (await text('lines')) === 'one,two');
    assert.equal(await text('status'), 'open');
    assert.deepEqual([...gateway.received].sort(), [
      'subscribe_logs execution tail=500 batch',
      'subscribe_status 5000',
    ]);
    assert.equal(gateway.accepted, 1);
    assert.deepEqual(tab.errors, []);
  });

  it('a component that goes and comes back soon leaves nothing and misses nothing', async () => {
    await until(async () => (await text('lines')) === 'one,two');
    await click('Hide');
    gateway.write('execution', 'three');
    await click('Show');
    await until(async () => (await text('lines')) === 'one,two,three');
    assert.equal(gateway.received.length, 2);
    assert.equal(gateway.accepted, 1);
  });

  it('leaves when nobody looks any more', async () => {
    await until(async () => (await text('lines')) === 'one,two');
    await click('Hide');
    await until(() => gateway.received.includes('unsubscribe_logs execution'));
    await until(() => gateway.connected === 0);
    await click('Show');
    await until(async () => (await text('lines')) === 'one,two');
    assert.equal(gateway.accepted, 2);
  });

  it('renders once per frame, however many batches arrive', async () => {
    await until(async () => (await text('lines')) === 'one,two');
    const before = Number(await text('renders'));
    for (let n = 0; n < 1000; n += 1) gateway.write('execution', `line ${n}`);
    await until(async () => (await text('lines')).endsWith('line 999'));
    const renders = Number(await text('renders')) - before;
    assert.ok(renders < 200, `${renders} renders for 1000 batches`);
    assert.deepEqual(tab.errors, []);
  });

  it('pauses and filters for one component alone', async () => {
    await until(async () => (await text('lines')) === 'one,two');
    await click('Pause');
    gateway.write('execution', 'three', 'four');
    await until(async () => (await text('new')) === '2');
    assert.equal(await text('lines'), 'one,two');
    assert.equal(await text('all'), 'one,two,three,four');
    await click('Resume');
    await click('Only o');
    await until(async () => (await text('lines')) === 'one,two,four');
    assert.equal(await text('all'), 'one,two,three,four');
  });
});
