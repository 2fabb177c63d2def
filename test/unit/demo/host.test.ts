import assert from 'node:assert/strict';
import { createHost, type SimulatedHost } from '../../../server/demo/host.ts';
import { fieldOf, type JournalEntry } from '../../../server/demo/journal.ts';
import { seededRandom } from '../../../server/demo/random.ts';
import { parseUnits } from '../../../server/status/properties.ts';
import type { StatusWord } from '../../../shared/node-status.ts';
import { runOn } from '../../support/demo-command.ts';

const NOW = Date.parse('2026-03-01T12:00:05Z');
const UNITS = ['execution', 'consensus', 'validator', 'mevboost', 'charon'];

function entriesOf(host: SimulatedHost, from = host.journal.first()): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (let seq = from; seq <= host.journal.last(); seq++) {
    const entry = host.journal.get(seq);
    if (entry) entries.push(entry);
  }
  return entries;
}

async function statusOf(host: SimulatedHost, service: string) {
  const names =
    'Id,LoadState,ActiveState,SubState,NRestarts,Result,ExecMainStatus,ExecMainCode,MainPID,Description,StateChangeTimestamp';
  const { stdout, code } = await runOn(
    host,
    `systemctl show --property=${names} --timestamp=unix -- ${service}.service`,
  );
  assert.equal(code, 0);
  const [status] = parseUnits(stdout, [service]);
  assert.ok(status);
  return status;
}

describe('the simulated host', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = createHost({ now: NOW, random: seededRandom(3) });
  });

  it('starts with hours of history at about a line a second, the same for the same seed', () => {
    const entries = entriesOf(host);
    assert.ok(entries.length > 15_000 && entries.length <= 20_000, `${entries.length} entries`);
    const first = entries[0]?.realtime ?? 0;
    const last = entries.at(-1)?.realtime ?? 0;
    const perSecond = entries.length / ((last - first) / 1e6);
    assert.ok(perSecond > 0.7 && perSecond < 1.4, `${perSecond} lines/s`);
    assert.ok(NOW * 1000 - last < 10e6);
    assert.deepEqual(entriesOf(createHost({ now: NOW, random: seededRandom(3) })), entries);
  });

  it('gives every unit something to say, at several levels', () => {
    const entries = entriesOf(host);
    for (const unit of UNITS) {
      const lines = entries.filter((entry) => fieldOf(entry, '_SYSTEMD_UNIT') === `${unit}.service`);
      assert.ok(lines.length > 1000, `${unit}: ${lines.length} lines`);
      assert.ok(
        lines.some(({ message }) => /WARN|level=warning/.test(message.toString())),
        `${unit} warns`,
      );
      assert.ok(
        lines.some(({ message }) => /ERRO|level=error/.test(message.toString())),
        `${unit} has errors`,
      );
    }
    assert.ok(
      entries.some(({ message }) => message.length > 4096),
      'a long line',
    );
    assert.ok(
      entries.some(({ message }) => message.includes('\x1b[')),
      'a coloured line',
    );
  });

  it('has a chain whose blocks go up by one, in the execution and the consensus client alike', () => {
    const heights: number[] = [];
    const slots: number[] = [];
    for (const entry of entriesOf(host)) {
      const text = entry.message.toString();
      const block = /Imported new potential chain segment\s+number=([\d,]+)/.exec(text)?.[1];
      if (block !== undefined) heights.push(Number(block.replaceAll(',', '')));
      const slot = /New block received .*slot: (\d+)/.exec(text)?.[1];
      if (slot !== undefined) slots.push(Number(slot));
    }
    for (const [index, height] of heights.entries()) assert.equal(height, (heights[0] ?? 0) + index);
    assert.ok(slots.every((slot, index) => index === 0 || slot > (slots[index - 1] ?? 0)));
    assert.ok(Math.abs(heights.length - slots.length) <= 2);
  });

  it('runs what is installed and says so of what is not', async () => {
    for (const unit of UNITS) assert.equal((await statusOf(host, unit)).status, 'active', unit);
    assert.equal((await statusOf(host, 'csm_nimbusvalidator')).status, 'not_installed');
    assert.equal((await statusOf(host, 'execution')).client, 'geth');
    assert.equal((await runOn(host, 'systemctl is-active execution charon')).stdout, 'active\nactive\n');
    const missing = await runOn(host, 'systemctl is-active csm_nimbusvalidator');
    assert.deepEqual(missing, { code: 3, stdout: 'inactive\n', stderr: '' });
  });

  it('lets charon fail soon after the start, and systemd start it again', async () => {
    const before = host.journal.last() + 1;
    const seen: string[] = [];
    const started = await statusOf(host, 'charon');
    for (let second = 1; second <= 60; second++) {
      host.advance(NOW + second * 1000);
      const { status, subState, result, exitCode, pid } = await statusOf(host, 'charon');
      const state = [status, subState, result, exitCode ?? '-', pid === undefined ? 'no pid' : 'pid'].join(
        ' ',
      );
      if (state !== seen.at(-1)) seen.push(state);
    }
    assert.deepEqual(seen, [
      'active running success - pid',
      'activating auto-restart exit-code 2 no pid',
      'active running success - pid',
    ]);
    const after = await statusOf(host, 'charon');
    assert.equal(after.restarts, (started.restarts ?? 0) + 1);
    const said = entriesOf(host, before).filter((entry) => fieldOf(entry, 'UNIT') === 'charon.service');
    const ids = said.map((entry) => `${fieldOf(entry, 'PRIORITY')} ${entry.message}`);
    assert.deepEqual(
      ids.map((text) => text.replace(/[\d.]+s CPU/, 'Ns CPU')),
      [
        '5 charon.service: Main process exited, code=exited, status=2/INVALIDARGUMENT',
        "4 charon.service: Failed with result 'exit-code'.",
        '6 charon.service: Consumed Ns CPU time.',
        `6 charon.service: Scheduled restart job, restart counter is at ${after.restarts}.`,
        '6 Stopped charon.service - Charon Distributed Validator Middleware for MAINNET.',
        '6 Started charon.service - Charon Distributed Validator Middleware for MAINNET.',
      ],
    );
    const panic = entriesOf(host, before).filter(({ message }) =>
      /^(panic|\[signal|goroutine|\t\/app)/.test(message.toString()),
    );
    assert.ok(panic.length >= 6, 'a stack trace');
  });

  it('is at times in failed state for good, until it is repaired', async () => {
    const words = new Set<StatusWord>();
    let at = NOW;
    while (at < NOW + 24 * 3_600_000 && !words.has('failed')) {
      at += 30_000;
      host.advance(at);
      words.add((await statusOf(host, 'charon')).status);
    }
    assert.deepEqual([...words].sort(), ['activating', 'active', 'failed']);
    host.advance(at + 120_000);
    assert.equal((await statusOf(host, 'charon')).status, 'active');
  });

  const commands: [line: string, code: number, stdout: RegExp, stderr: RegExp][] = [
    ['true', 0, /^$/, /^$/],
    ['id', 0, /systemd-journal/, /^$/],
    ['cat /etc/machine-id', 0, /^[0-9a-f]{32}\n$/, /^$/],
    ['cat /etc/shadow', 1, /^$/, /No such file/],
    ["sudo -n -- 'journalctl' -n 1 -o cat", 0, /./, /^$/],
    ['env TZ=UTC LC_ALL=C systemctl is-active execution', 0, /^active\n$/, /^$/],
    ['LC_ALL=C exec systemctl is-active execution', 0, /^active\n$/, /^$/],
    ['/usr/bin/id', 0, /^uid/, /^$/],
    ['systemctl frobnicate', 1, /^$/, /Unknown command verb frobnicate\./],
    ['systemctl show --timestamp=foo execution', 1, /^$/, /Invalid value: foo\./],
    ['rm -rf /', 127, /^$/, /rm: command not found/],
    ['true; id', 2, /^$/, /single commands only/],
  ];
  for (const [line, code, stdout, stderr] of commands) {
    it(`answers ${line}`, async () => {
      const result = await runOn(host, line);
      assert.equal(result.code, code);
      assert.match(result.stdout, stdout);
      assert.match(result.stderr, stderr);
    });
  }
});
