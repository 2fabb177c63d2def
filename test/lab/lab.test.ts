import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunResult, run } from '../../scripts/lab/run.ts';
import { waitFor } from '../../scripts/lab/wait.ts';
import { LAB_TIMEOUT_MS, messageOf, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';

/** Time for a host to boot again, on a busy machine. */
const REBOOT_TIMEOUT_MS = 60_000;

describe('lab hosts', () => {
  let lab: TestLab;
  let host: TestHost;
  let folder: string;

  before(async function () {
    requirePart(this, 'lab');
    this.timeout(LAB_TIMEOUT_MS);
    lab = await useLab({ hosts: 1 });
    [host] = lab.hosts;
    folder = await mkdtemp(join(tmpdir(), 'tailwire-lab-test-'));
  });
  after(async () => {
    await lab?.release();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** Runs a command over SSH, with the lab's key or with a password. */
  async function ssh(
    user: keyof TestHost['users'],
    how: 'key' | 'password',
    command: string,
  ): Promise<RunResult> {
    const askpass = join(folder, 'askpass');
    await writeFile(askpass, '#!/bin/sh\nprintf "%s\\n" "$LAB_PASSWORD"\n');
    await chmod(askpass, 0o700);
    const options = [
      '-F',
      'none',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'ConnectTimeout=5',
    ];
    const login =
      how === 'key'
        ? ['-i', host.privateKeyPath, '-o', 'BatchMode=yes']
        : ['-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1'];
    return run('ssh', [...options, ...login, '-p', String(host.port), `${user}@${host.address}`, command], {
      allowFailure: true,
      env: {
        PATH: '/usr/bin:/bin',
        SSH_ASKPASS: askpass,
        SSH_ASKPASS_REQUIRE: 'force',
        LAB_PASSWORD: host.users[user].password,
      },
    });
  }

  it('have the units of an Ethereum node in the states systemctl reports', async () => {
    const units = ['execution', 'consensus', 'validator', 'charon'];
    const states = await Promise.all(units.map((unit) => host.isActive(unit)));
    assert.deepEqual(states, ['active', 'active', 'active', 'failed']);
    const missing = await host.exec(['systemctl', 'show', '-p', 'LoadState', 'mevboost']);
    assert.equal(missing.stdout.trim(), 'LoadState=not-found');
    const described = await host.exec(['systemctl', 'show', '-p', 'Description', '--value', ...units]);
    assert.deepEqual(
      described.stdout
        .split(/\n+/)
        .filter(Boolean)
        .map((line) => line.split(' ')[0]),
      ['Geth', 'Lighthouse', 'Lighthouse', 'Charon'],
    );
  });

  it("carry a unit's lines into the journal, with priority and unit", async () => {
    await host.log('consensus', ['plain', '<3>an error', Buffer.from([0xff, 0x41])]);
    const entries = await host.journal('consensus');
    const printed = entries.filter((entry) => entry._SYSTEMD_UNIT === 'consensus.service').slice(-3);
    assert.deepEqual(
      printed.map((entry) => [entry.PRIORITY, messageOf(entry), entry.SYSLOG_IDENTIFIER]),
      [
        ['6', 'plain', 'lighthouse'],
        ['3', 'an error', 'lighthouse'],
        ['6', '\ufffdA', 'lighthouse'],
      ],
    );
  });

  it('take entries with fields of any kind', async () => {
    await host.logFields('consensus', [
      ['MESSAGE', 'two\nlines'],
      ['PRIORITY', '4'],
      ['REPEATED', 'a'],
      ['REPEATED', 'b'],
    ]);
    const entry = (await host.journal('consensus')).at(-1);
    assert.equal(entry?.MESSAGE, 'two\nlines');
    assert.equal(entry?._SYSTEMD_UNIT, 'consensus.service');
    assert.deepEqual(entry?.REPEATED, ['a', 'b']);
  });

  it('produce numbered lines at the rate asked for, none lost', async () => {
    const started = Date.now();
    await host.produce('execution', { rate: 2000, count: 2000, start: 7, prefix: 'n ', size: 60 });
    const took = Date.now() - started;
    assert.ok(took >= 900, `took ${took} ms`);
    const lines = (await host.printed('execution')).filter((line) => line.startsWith('n seq=')).slice(-2000);
    assert.equal(lines.length, 2000);
    assert.deepEqual(
      lines.map((line) => Number(/seq=(\d+)/.exec(line)?.[1])),
      Array.from({ length: 2000 }, (_, index) => index + 7),
    );
    assert.ok(lines.every((line) => line.length === 60));
  });

  it('print lines of their clients at a human pace when asked to', async () => {
    const before = (await host.printed('execution')).length;
    await host.setBackground(true);
    await waitFor('a line', async () => (await host.printed('execution')).length > before, {
      timeoutMs: 10_000,
      everyMs: 200,
    });
    await host.setBackground(false);
    assert.match((await host.printed('execution')).at(-1) ?? '', /^(INFO|WARN) \[\d\d-\d\d\|/);
  });

  it('show stopped, failed and masked units', async () => {
    await host.stop('validator');
    assert.equal(await host.isActive('validator'), 'inactive');
    await host.mask('validator');
    await assert.rejects(host.start('validator'), /masked/);
    await host.unmask('validator');
    await host.start('validator');
    const { stdout: before } = await host.exec([
      'systemctl',
      'show',
      '-p',
      'MainPID',
      '--value',
      'validator',
    ]);
    await host.exitUnit('validator', 3);
    await waitFor('the restart', async () => {
      const { stdout } = await host.exec(['systemctl', 'show', '-p', 'MainPID', '--value', 'validator']);
      return Number(stdout) > 0 && stdout !== before;
    });
    assert.equal(await host.isActive('validator'), 'active');
  });

  it('let every account in as it should be', async () => {
    // Not a line of the start: other tests may have vacuumed it.
    await host.log('validator', ['cluster-lock']);
    const read = 'journalctl -n 1 -o cat -u validator --grep cluster-lock';
    const [key, password, interactive, none, sudoer] = await Promise.all([
      ssh('ethnode', 'key', read),
      ssh('ethnode', 'password', read),
      ssh('interactive', 'password', read),
      ssh('nojournal', 'key', read),
      ssh('sudoer', 'key', `sudo -n ${read}`),
    ]);
    for (const result of [key, password, interactive, sudoer])
      assert.match(result.stdout, /cluster-lock/, result.stderr);
    assert.doesNotMatch(none.stdout, /cluster-lock/);
    const asking = await ssh('asksudo', 'key', `sudo -n ${read}`);
    assert.match(asking.stderr, /a password is required/);
  });

  it('have the host key they say, and another one when told so', async () => {
    const offered = async () => {
      const scan = await run('ssh-keyscan', ['-t', 'ed25519', host.address]);
      return (await run('ssh-keygen', ['-lf', '-'], { input: scan.stdout })).stdout.split(' ')[1];
    };
    const before = host.hostKeyFingerprint;
    assert.equal(await offered(), before);
    const after = await host.changeHostKey();
    assert.notEqual(after, before);
    assert.equal(host.hostKeyFingerprint, after);
    assert.equal(await offered(), after);
  });

  it('can be cut off and joined again without a connection noticing', async () => {
    const command = ssh('ethnode', 'key', 'sleep 3; echo over');
    await waitFor('the login', () => host.countProcesses(/^sshd: ethnode@notty/) === 1);
    await host.cutNetwork();
    try {
      await assert.rejects(run('ssh-keyscan', ['-T', '1', host.address], { timeoutMs: 1500 }), /ssh-keyscan/);
      assert.equal(host.countProcesses(/^sshd: ethnode@notty/), 1);
    } finally {
      await host.restoreNetwork();
    }
    assert.equal((await command).stdout, 'over\n');
  });

  it('lose their SSH connections when those are killed', async () => {
    const command = ssh('ethnode', 'key', 'sleep 20');
    await waitFor('the login', () => host.countProcesses(/^sleep 20/) === 1);
    assert.equal(host.killSshd(), 2);
    assert.equal((await command).code, 255);
    assert.equal(await host.isActive('ssh'), 'active');
    await host.exec(['pkill', '-x', 'sleep'], { allowFailure: true });
  });

  it('forget their journal on demand', async () => {
    await host.log('execution', ['before the vacuum']);
    await host.vacuum();
    assert.deepEqual(await host.printed('execution'), []);
    await host.log('execution', ['after it']);
    assert.deepEqual(await host.printed('execution'), ['after it']);
  });

  for (const powerCut of [false, true]) {
    it(`keep their journal over ${powerCut ? 'a power cut' : 'a restart'}`, async function () {
      this.timeout(REBOOT_TIMEOUT_MS);
      await host.log('execution', ['before']);
      const [last] = (await host.journal('execution')).slice(-1);
      await host.exec(['journalctl', '--sync']);
      await host.reboot({ powerCut });
      await host.log('execution', ['after']);
      const entries = (await host.journal('execution')).filter(
        (entry) => entry._SYSTEMD_UNIT === 'execution.service',
      );
      assert.deepEqual(entries.slice(-2).map(messageOf), ['before', 'after']);
      assert.notEqual(entries.at(-1)?._BOOT_ID, last?._BOOT_ID);
    });
  }
});
