import assert from 'node:assert/strict';
import { fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';
import { type Browser, startBrowser } from '../support/browser.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** Lines that services printed, on a real host, through the real server, in a real browser. */
describe('levels of real lines in the dashboard', function () {
  this.timeout(120_000);
  const lines = [...fixtureLines('corpus.jsonl'), ...fixtureLines('corpus-more.jsonl')].filter(
    // The journal has no empty lines.
    ({ raw }) => raw.trim() !== '',
  );
  let lab: TestLab;
  let host: TestHost;
  let server: TestServer;
  let browser: Browser;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'chromium');
    requirePart(this, 'lab');
    lab = await useLab();
    [host] = lab.hosts;
    server = await startServer({ SSH_ALLOWED_HOSTS: lab.subnet });
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
    await lab?.release();
  });

  it('shows each line of the corpus with its level', async () => {
    await host.vacuum();
    await host.log(
      'execution',
      lines.map(({ raw }) => raw),
    );
    const { token } = await server.loginTo(host);
    const tab = await browser.open();
    const { page } = tab;
    await page.context().addCookies([{ name: 'ssh_session', value: token, url: server.url }]);
    await page.goto(`${server.url}/node/?service=execution`);
    await page.locator('[data-seq]').first().waitFor({ timeout: 30_000 });
    await page.getByText(new RegExp(`^${lines.length} lines$`)).waitFor({ timeout: 20_000 });

    await page.getByRole('log').focus();
    await page.keyboard.press('g');
    const shown = new Map<number, { level: string; text: string }>();
    const rows = page.locator('[data-seq]');
    // Only what is in sight is in the page.
    await until(async () => {
      const seen = await rows.evaluateAll((all) =>
        all.map((row) => ({
          seq: Number(row.getAttribute('data-seq')),
          level: row.getAttribute('data-level') ?? '',
          text: row.textContent ?? '',
        })),
      );
      for (const { seq, ...row } of seen) shown.set(seq, row);
      const log = page.getByRole('log');
      const { top, end } = await log.evaluate((element) => ({
        top: element.scrollTop,
        end: element.scrollHeight - element.clientHeight,
      }));
      await log.evaluate((element) => element.scrollBy(0, element.clientHeight));
      return end - top < 4 && seen.some(({ seq }) => seq === Math.max(...shown.keys()));
    }, 30_000);

    const first = Math.min(...shown.keys());
    const wrong: string[] = [];
    let looked = 0;
    for (const [index, { id, expect, raw }] of lines.entries()) {
      const row = shown.get(first + index);
      // Folded away: a further line of a long trace.
      if (row === undefined) continue;
      looked += 1;
      if (row.level !== (expect.level ?? 'none')) {
        wrong.push(`${id}: ${row.level} instead of ${expect.level}: ${raw.slice(0, 100)}`);
      }
    }
    assert.ok(looked >= lines.length * 0.9, `${looked} of ${lines.length} lines were shown`);
    assert.deepEqual(wrong, []);
    assert.deepEqual(tab.errors, []);
    assert.deepEqual(
      [...tab.origins].filter((origin) => !origin.endsWith(new URL(server.url).host)),
      [],
    );
    await tab.close();
  });

  it('[SIO-6] shows what the newest lines say about each chain', async () => {
    await host.vacuum();
    await host.log('execution', [
      'INFO [05-11|10:11:12.013] Imported new potential chain segment     number=22,460,123 hash=aa11bb..cc22dd blocks=1 txs=99',
      'INFO [05-11|10:11:12.013] Looking for peers                        peercount=17 tried=50 static=0',
    ]);
    await host.log('consensus', [
      'May 11 10:11:12.013 INFO  Syncing                                       peers: "12", distance: "1234 slots (4 hrs 6 mins)", speed: "9.1 slots/sec"',
    ]);
    // A server that has not read the lines of the test before.
    await server.stop();
    server = await startServer({ SSH_ALLOWED_HOSTS: lab.subnet });
    const { token } = await server.loginTo(host);
    const tab = await browser.open();
    await tab.page.context().addCookies([{ name: 'ssh_session', value: token, url: server.url }]);
    await tab.page.goto(`${server.url}/node/?service=execution`);
    const chain = (service: string) => tab.page.locator(`[data-service="${service}"] [data-chain]`);
    await chain('execution').waitFor({ timeout: 40_000 });
    await until(
      async () => (await chain('execution').textContent()) === 'Block22,460,123Peers17Syncin sync',
      30_000,
    );
    await until(async () => (await chain('consensus').textContent()) === 'Peers12Sync1,234 behind', 30_000);
    assert.equal(
      host.processes(/journalctl.*--follow/).length <= 2,
      true,
      'one follow for the unit, one for the status',
    );
    await tab.close();
  });
});
