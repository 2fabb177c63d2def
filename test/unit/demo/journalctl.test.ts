import assert from 'node:assert/strict';
import { createJournal, type Fields, type JournalEntry } from '../../../server/demo/journal.ts';
import { journalctl } from '../../../server/demo/journalctl.ts';
import { jsonLines } from '../../support/demo-command.ts';
import { until } from '../../support/until.ts';

const START = Date.parse('2026-03-01T12:00:00Z');

/** A journal with 40 entries, a second apart: odd ones of execution, the others of consensus, some of systemd's. */
function createFixture() {
  const journal = createJournal({
    machineId: '1'.repeat(32),
    bootId: 'b'.repeat(32),
    seqnumId: '5'.repeat(32),
    bootedAt: START - 60_000,
    firstSeq: 1,
    capacity: 1000,
  });
  let count = 0;
  function add(unit: string, message: string | Buffer, extra: Fields = {}): JournalEntry {
    const origin = {
      _SYSTEMD_UNIT: `${unit}.service`,
      _PID: '77',
      _UID: '9',
      PRIORITY: '6',
      SYSLOG_IDENTIFIER: unit,
      _HOSTNAME: 'h',
    };
    return journal.append({ at: START + count++ * 1000, message, origin, extra });
  }
  for (let i = 1; i <= 40; i++) add(i % 2 ? 'execution' : 'consensus', `line ${i}`);

  async function run(args: string, signal = new AbortController().signal) {
    let stdout = '';
    let stderr = '';
    const code = await journalctl(args === '' ? [] : args.split(' '), journal, {
      out: async (data) => {
        stdout += data.toString();
      },
      err: (text) => {
        stderr += text;
      },
      signal,
      now: () => START + 60_000,
    });
    return { code, stdout, stderr, lines: stdout.split('\n').slice(0, -1) };
  }
  const cursor = (seq: number) => {
    const entry = journal.get(seq);
    assert.ok(entry);
    return journal.cursorOf(entry);
  };
  return { journal, add, run, cursor };
}

describe('journalctl of the demo node', () => {
  it('shows a unit: what it wrote and what systemd says about it', async () => {
    const { add, run } = createFixture();
    add('init.scope', 'execution.service: Failed.', { UNIT: 'execution.service', _PID: '1', _UID: '0' });
    add('init.scope', 'consensus.service: Failed.', { UNIT: 'consensus.service', _PID: '1', _UID: '0' });
    add('rogue', 'not of systemd', { UNIT: 'execution.service' });
    assert.deepEqual((await run('-u execution -o cat -n 2')).lines, [
      'line 39',
      'execution.service: Failed.',
    ]);
    const both = await run('--unit=execution.service -u consensus -o cat -n all');
    assert.equal(both.lines.length, 42);
  });

  it('counts lines from the newest, all of them, or from a cursor onwards', async () => {
    const { run, cursor } = createFixture();
    assert.deepEqual((await run('-o cat -n 3')).lines, ['line 38', 'line 39', 'line 40']);
    assert.equal((await run('-o cat --lines=all')).lines.length, 40);
    assert.equal((await run('-o cat -n')).lines.length, 10);
    assert.deepEqual((await run(`-o cat -n 2 --cursor=${cursor(5)}`)).lines, ['line 5', 'line 6']);
    assert.deepEqual((await run('-o cat -r -n 2')).lines, ['line 40', 'line 39']);
    assert.deepEqual((await run(`-o cat -r -n 2 --cursor=${cursor(5)}`)).lines, ['line 5', 'line 4']);
  });

  it('begins with the entry of --cursor, and with the nearest one of the filter where it is not among them', async () => {
    const { run, cursor } = createFixture();
    assert.equal((await run(`-o cat -u execution --cursor=${cursor(5)}`)).lines[0], 'line 5');
    assert.equal((await run(`-o cat -u execution --cursor=${cursor(6)}`)).lines[0], 'line 7');
  });

  it('skips one line of the filter after --after-cursor, as systemd 252 does', async () => {
    const { run, cursor } = createFixture();
    assert.equal((await run(`-o cat -u execution --after-cursor=${cursor(5)}`)).lines[0], 'line 7');
    assert.equal((await run(`-o cat -u execution --after-cursor=${cursor(6)}`)).lines[0], 'line 9');
  });

  it('knows times as seconds, as dates and back from now, both ends included', async () => {
    const { journal, run } = createFixture();
    const at = (seq: number) => `@${((journal.get(seq)?.realtime ?? 0) / 1e6).toFixed(6)}`;
    assert.deepEqual((await run(`-o cat --since=${at(7)} --until=${at(8)}`)).lines, ['line 7', 'line 8']);
    assert.deepEqual((await run(`-o cat -r --since=${at(7)} --until=${at(8)}`)).lines, ['line 8', 'line 7']);
    assert.equal((await run('-o cat --since=2026-03-01T12:00:10Z')).lines[0], 'line 11');
    assert.equal((await run('-o cat --since=-25s')).lines[0], 'line 36');
    assert.equal((await run('-o cat --since=yesterday')).lines.length, 40);
    assert.deepEqual((await run('--until=@5')).lines, ['-- No entries --']);
    assert.deepEqual((await run('--until=@5 -o json')).lines, []);
  });

  it('matches fields: different ones together, values of one as alternatives, + anew', async () => {
    const { add, run } = createFixture();
    add('init.scope', 'x', { _PID: '1' });
    assert.equal((await run('-o cat _PID=1')).lines.length, 1);
    assert.equal((await run('-o cat _PID=77 SYSLOG_IDENTIFIER=execution -n all')).lines.length, 20);
    assert.equal((await run('-o cat _PID=1 SYSLOG_IDENTIFIER=execution')).lines.length, 0);
    assert.equal((await run('-o cat _PID=1 + SYSLOG_IDENTIFIER=execution -n all')).lines.length, 21);
    assert.equal((await run('-o cat _PID=1 _PID=77 -n all')).lines.length, 41);
  });

  it('writes JSON with strings, always with the addresses, of the other fields those asked for', async () => {
    const { run, cursor } = createFixture();
    const [entry = {}] = jsonLines((await run('-o json -n 1 --output-fields=MESSAGE,_PID')).stdout);
    assert.deepEqual(Object.keys(entry).sort(), [
      'MESSAGE',
      '_BOOT_ID',
      '_PID',
      '__CURSOR',
      '__MONOTONIC_TIMESTAMP',
      '__REALTIME_TIMESTAMP',
    ]);
    assert.equal(entry.__CURSOR, cursor(40));
    for (const value of Object.values(entry)) assert.equal(typeof value, 'string');
    const [full = {}] = jsonLines((await run('--output=json -n 1')).stdout);
    assert.equal(full.SYSLOG_IDENTIFIER, 'consensus');
  });

  it('writes null for a field of 4096 bytes unless --all', async () => {
    const { add, run } = createFixture();
    add('execution', 'a'.repeat(4096 - 'MESSAGE='.length - 1));
    add('execution', 'a'.repeat(4096 - 'MESSAGE='.length));
    const shown = jsonLines((await run('-o json -n 2')).stdout).map(({ MESSAGE }) => MESSAGE === null);
    assert.deepEqual(shown, [false, true]);
    assert.equal(jsonLines((await run('-o json -n 1 --all')).stdout)[0]?.MESSAGE, 'a'.repeat(4088));
  });

  it('writes text with control characters and bytes that are no UTF-8 as numbers', async () => {
    const { add, run } = createFixture();
    add('execution', '\x1b[1mred');
    add('execution', Buffer.from([0xff, 0x20]));
    add('execution', 'tab\tand \u202e stay');
    const messages = jsonLines((await run('-o json -n 3')).stdout).map(({ MESSAGE }) => MESSAGE);
    assert.deepEqual(messages, [[...Buffer.from('\x1b[1mred')], [0xff, 0x20], 'tab\tand \u202e stay']);
  });

  const complaints: [args: string, stderr: string][] = [
    ['--cursor=foo', 'Failed to seek to cursor: Invalid argument\n'],
    ['-o nope', "Unknown output format 'nope'.\n"],
    ['--lines=abc', "Failed to parse lines 'abc'\n"],
    ['-n abc', "Failed to add match 'abc': Invalid argument\n"],
    ['--bogus', "journalctl: unrecognized option '--bogus'\n"],
    ['-u', "journalctl: option requires an argument -- 'u'\n"],
    ['--since=garbage', 'Failed to parse timestamp: garbage\n'],
    ['--since=@5 --until=@3', '--since= must be before --until=.\n'],
    ['--since=@5 --cursor=a', 'Please specify only one of --since=, --cursor=, and --after-cursor=.\n'],
    ['-f -r', 'Please specify either --reverse= or --follow=, not both.\n'],
    ['-p bogus', 'Unknown log level bogus\n'],
  ];
  for (const [args, stderr] of complaints) {
    it(`complains about ${args}`, async () => {
      assert.deepEqual(await createFixture().run(args), { code: 1, stdout: '', stderr, lines: [] });
    });
  }

  describe('--follow', () => {
    it('shows the last ten lines, then each new one of the unit, until its reader leaves', async () => {
      const { journal, add } = createFixture();
      const { text, ended } = follow(journal, '-f -u execution -o cat');
      await until(() => text().length === 10);
      add('execution', 'new');
      add('consensus', 'other');
      await until(() => text().at(-1) === 'new');
      assert.equal(await ended(), 130);
    });

    it('shows everything from a cursor with --no-tail, without it ten lines until the journal changes', async () => {
      const { journal, add, cursor } = createFixture();
      const whole = follow(journal, `-f --no-tail -o cat --cursor=${cursor(3)}`);
      await until(() => whole.text().length === 38);
      const stalled = follow(journal, `-f -o cat --cursor=${cursor(3)}`);
      await until(() => stalled.text().length === 10);
      add('execution', 'new');
      await until(() => stalled.text().length === 39 && whole.text().length === 39);
      await Promise.all([whole.ended(), stalled.ended()]);
    });

    it('goes at the pace of its reader and holds nothing back for it', async () => {
      const { journal, add } = createFixture();
      let free = () => {};
      const { text, ended } = follow(
        journal,
        '-f -n 0 -o cat',
        () =>
          new Promise((resolve) => {
            free = resolve;
          }),
      );
      add('execution', 'first');
      await until(() => text().length === 1);
      for (let i = 0; i < 500; i++) add('execution', `more ${i}`);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      assert.equal(text().length, 1);
      free();
      await until(() => text().length === 501);
      free();
      await ended();
    });

    it('goes on with the oldest entry where the next one was vacuumed', async () => {
      const { journal, add } = createFixture();
      let free = () => {};
      const { text, ended } = follow(
        journal,
        '-f -n 0 -o cat',
        () =>
          new Promise((resolve) => {
            free = resolve;
          }),
      );
      add('execution', 'first');
      await until(() => text().length === 1);
      for (let i = 0; i < 1500; i++) add('execution', `more ${i}`);
      free();
      await until(() => text().length === 1001);
      assert.equal(text()[1], 'more 500');
      free();
      await ended();
    });
  });
});

/** Runs a follow whose output is taken by `taken`; `ended` takes the reader away and waits for the exit code. */
function follow(
  journal: Parameters<typeof journalctl>[1],
  args: string,
  taken: () => Promise<void> = async () => {},
) {
  const reader = new AbortController();
  let output = '';
  const code = journalctl(args.split(' '), journal, {
    out: (data) => {
      output += data.toString();
      return taken();
    },
    err: (text) => assert.fail(text),
    signal: reader.signal,
    now: () => START,
  });
  return {
    text: () => output.split('\n').slice(0, -1),
    ended() {
      reader.abort();
      return code;
    },
  };
}
