import assert from 'node:assert/strict';
import { requirePart } from '../support/parts.ts';
import { LAB_TIMEOUT_MS, messageOf, type TestLab, useLab } from '../support/lab.ts';

describe('lab hosts', () => {
  let lab: TestLab;

  before(async function () {
    requirePart(this, 'lab');
    this.timeout(LAB_TIMEOUT_MS);
    lab = await useLab({ hosts: 1 });
  });
  after(() => lab?.release());

  it('have the units of an Ethereum node in the states systemctl reports', async () => {
    const [host] = lab.hosts;
    const states = await Promise.all(['execution', 'consensus', 'validator', 'charon'].map((unit) => host.isActive(unit)));
    assert.deepEqual(states, ['active', 'active', 'active', 'failed']);
    const { stdout } = await host.exec(['systemctl', 'show', '-p', 'LoadState', 'mevboost']);
    assert.equal(stdout.trim(), 'LoadState=not-found');
  });

  it("carry a unit's lines into the journal, with priority and unit", async () => {
    const [host] = lab.hosts;
    await host.log('consensus', ['plain', '<3>an error', Buffer.from([0xff, 0x41])]);
    const entries = (await host.journal('consensus')).filter((entry) => entry._SYSTEMD_UNIT === 'consensus.service').slice(-3);
    assert.deepEqual(
      entries.map((entry) => [entry.PRIORITY, messageOf(entry), entry.SYSLOG_IDENTIFIER]),
      [
        ['6', 'plain', 'lighthouse'],
        ['3', 'an error', 'lighthouse'],
        ['6', '\ufffdA', 'lighthouse'],
      ],
    );
  });
});
