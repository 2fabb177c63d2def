import assert from 'node:assert/strict';
import { createHost, type SimulatedHost } from '../../server/demo/host.ts';
import { seededRandom } from '../../server/demo/random.ts';
import { createExportDecoder } from '../../server/logs/journal/export-decoder.ts';
import { quoteArgv } from '../../server/ssh/shell-quote.ts';
import { type CommandResult, jsonLines, runOn } from '../support/demo-command.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';

/** Runs a command on one of the two hosts. */
type Run = (argv: readonly string[]) => Promise<CommandResult>;

const NOW = Date.parse('2026-03-01T12:00:05Z');
/** A unit that fails as the demo's charon does, and gives up after as many starts. */
const UNIT = `[Unit]
Description=Charon Distributed Validator Middleware for MAINNET
StartLimitIntervalSec=600
StartLimitBurst=2
[Service]
ExecStart=/usr/bin/perl -e 'print "one\\n\\n\\ttwo  \\n\\x1b[34mblue\\x1b[0m\\n", "x" x 5000, "\\n"; exit 2'
Restart=on-failure
RestartSec=500ms
`;

describe('the demo node beside a real host', function () {
  this.timeout(60_000);
  let lab: TestLab;
  let real: TestHost;
  let demo: SimulatedHost;
  let runReal: Run;
  let runDemo: Run;

  before(async function () {
    requirePart(this, 'lab');
    this.timeout(LAB_TIMEOUT_MS);
    lab = await useLab();
    [real] = lab.hosts;
    runReal = async (argv) => {
      const { code, stdout, stderr } = await real.exec(argv, { allowFailure: true });
      return { code: code ?? -1, stdout, stderr };
    };
    const file = '/run/systemd/system/parity.service';
    await real.exec(['/bin/sh', '-c', `cat > ${file}`], { input: UNIT });
    await real.exec(['systemctl', 'daemon-reload']);
    await real.exec(['systemctl', 'start', 'parity']);
    for (let tries = 0; tries < 100 && (await real.isActive('parity')) !== 'failed'; tries++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
    await real.exec(['journalctl', '--sync']);
    demo = createHost({ now: NOW, random: seededRandom(7) });
    runDemo = (argv) => runOn(demo, quoteArgv(argv), { now: NOW });
  });
  after(async () => {
    if (!real) return;
    await real.exec(['rm', '-f', '/run/systemd/system/parity.service']);
    await real.exec(['systemctl', 'daemon-reload']);
    await real.exec(['systemctl', 'reset-failed', 'parity'], { allowFailure: true });
    await lab.release();
  });

  /** Entries of the failing unit: of the real host, and of the demo's charon. */
  async function both(
    args: readonly string[],
  ): Promise<[Record<string, unknown>[], Record<string, unknown>[]]> {
    const argv = (unit: string) => ['journalctl', `--unit=${unit}`, '--output=json', ...args];
    const [one, two] = await Promise.all([runReal(argv('parity')), runDemo(argv('charon'))]);
    assert.deepEqual([one.code, one.stderr], [two.code, two.stderr]);
    return [jsonLines(one.stdout), jsonLines(two.stdout)];
  }

  it('gives entries the same fields, for lines of a service and for what systemd says', async () => {
    await real.log('execution', ['a line of the service']);
    for (const source of [
      ['_SYSTEMD_UNIT=execution.service'],
      ['_PID=1', 'UNIT=execution.service', 'UNIT=charon.service'],
    ]) {
      const argv = ['journalctl', '-o', 'json', '--no-pager', ...source];
      const fields = async (run: Run) => {
        const entries = jsonLines((await run(argv)).stdout);
        // Different messages of systemd have fields of their own; a start is among them on both hosts.
        const entry = entries.findLast(
          ({ MESSAGE, _PID }) => _PID !== '1' || /^Started /.test(String(MESSAGE)),
        );
        return Object.keys(entry ?? {}).sort();
      };
      const [one, two] = [await fields(runReal), await fields(runDemo)];
      assert.ok(one.length > 15);
      assert.deepEqual(two, one);
    }
  });

  it('says the same of a service that fails, restarts and is given up, with ids, priorities and places', async () => {
    const say = (unit: string, entries: Record<string, unknown>[]) => {
      const names = [
        'MESSAGE_ID',
        'PRIORITY',
        'CODE_FILE',
        'CODE_LINE',
        'CODE_FUNC',
        'JOB_TYPE',
        'JOB_RESULT',
        'UNIT_RESULT',
      ];
      return new Map(
        entries.map((entry) => {
          const message = String(entry.MESSAGE)
            .replaceAll(unit, 'UNIT')
            .replace(/counter is at \d+/, 'counter is at N');
          return [message, names.map((name) => entry[name] ?? '')];
        }),
      );
    };
    // A failure of the demo that systemd gave up on stands somewhere in a longer simulated time.
    for (let hours = 1; hours < 48; hours++) demo.advance(NOW + hours * 1_800_000);
    const [one] = await both(['_PID=1', '-n', 'all']);
    const [, two] = await both(['_PID=1', '-n', 'all']);
    const truth = say('parity.service', one);
    const demoSays = say('charon.service', two);
    // Exit status and name are the same, 2; the real host may leave CPU time out where it was too little.
    assert.ok(truth.size >= 7, `the real host said ${[...truth.keys()].join('\n')}`);
    for (const [message, fields] of truth) {
      if (!message.includes('Consumed')) assert.deepEqual(demoSays.get(message), fields, message);
    }
  });

  it('writes colours as bytes and long text as null, and keeps leading blanks', async () => {
    const [one] = await both(['_TRANSPORT=stdout', '-n', '4', '--output-fields=MESSAGE']);
    assert.deepEqual(
      one.map(({ MESSAGE }) => (Array.isArray(MESSAGE) ? 'bytes' : MESSAGE)),
      ['one', '\ttwo', 'bytes', null],
    );
    const [, two] = await both(['_TRANSPORT=stdout', '-n', 'all', '--output-fields=MESSAGE']);
    assert.ok(two.some(({ MESSAGE }) => Array.isArray(MESSAGE) && MESSAGE[0] !== 27));
    assert.ok(two.some(({ MESSAGE }) => typeof MESSAGE === 'string' && MESSAGE.startsWith('\t/app')));
    const { stdout } = await runDemo([
      'journalctl',
      '-u',
      'execution',
      '--output=json',
      '--output-fields=MESSAGE',
    ]);
    assert.ok(jsonLines(stdout).some(({ MESSAGE }) => MESSAGE === null));
  });

  it('writes the same in the export format: addresses, text, colours as bytes, and nothing shortened', async () => {
    const records = async (run: Run, unit: string) => {
      const argv = [
        'journalctl',
        `--unit=${unit}`,
        '--output=export',
        '--output-fields=MESSAGE,_PID,PRIORITY',
      ];
      const { stdout } = await run([...argv, '_TRANSPORT=stdout']);
      const names = stdout
        .split('\n')
        .map((line) => /^[A-Z0-9_]+(?==|$)/.exec(line)?.[0] ?? '')
        .filter((name) => name !== '');
      return { names: [...new Set(names)].sort(), records: createExportDecoder().push(Buffer.from(stdout)) };
    };
    const [one, two] = [await records(runReal, 'parity'), await records(runDemo, 'charon')];
    assert.deepEqual(two.names, one.names);
    assert.deepEqual(
      one.records.slice(-4).map(({ message }) => message),
      ['one', '\ttwo', '\u001b[34mblue\u001b[0m', 'x'.repeat(5000)],
    );
    for (const { records } of [one, two]) assert.ok(records.every(({ pid, priority }) => pid && priority));
    assert.ok(two.records.some(({ message }) => message.includes('\u001b[')));
  });

  it('counts, seeks and turns round alike', async () => {
    const [one, two] = await both(['-n', '12']);
    const cursorOf = (entries: Record<string, unknown>[], index: number) => String(entries[index]?.__CURSOR);
    const variants: ((cursor: string) => string)[] = [
      (cursor) => cursor,
      (cursor) => cursor.replace(/^s=..../, 's=0000'),
      (cursor) => /t=[0-9a-f]+/.exec(cursor)?.[0] ?? '',
      (cursor) => cursor.replace(/i=[0-9a-f]+/, 'i=ffffffff'),
    ];
    const options = [[], ['-n', '2'], ['-r', '-n', '3'], ['-n', '0']];
    for (const variant of variants) {
      for (const how of ['--cursor', '--after-cursor']) {
        for (const more of options) {
          const found = await Promise.all(
            [
              { run: runReal, unit: 'parity', entries: one },
              { run: runDemo, unit: 'charon', entries: two },
            ].map(async ({ run, unit, entries }) => {
              const cursor = `${how}=${variant(cursorOf(entries, 5))}`;
              const result = await run([
                'journalctl',
                '-u',
                unit,
                '-o',
                'json',
                '--output-fields=X',
                cursor,
                ...more,
              ]);
              const places = jsonLines(result.stdout).map((entry) =>
                entries.findIndex((known) => known.__CURSOR === entry.__CURSOR),
              );
              return { code: result.code, stderr: result.stderr, places: places.slice(0, 12) };
            }),
          );
          assert.deepEqual(found[1], found[0], `${variant(cursorOf(one, 5))} ${how} ${more.join(' ')}`);
        }
      }
    }
  });

  it('bounds by time alike', async () => {
    const [one, two] = await both(['-n', '60']);
    for (const options of [
      ['--since'],
      ['--until'],
      ['--until', '-n', '3'],
      ['--until', '-r', '-n', '3'],
      ['--since', '-r'],
    ]) {
      const found = await Promise.all(
        [
          { run: runReal, unit: 'parity', entries: one },
          { run: runDemo, unit: 'charon', entries: two },
        ].map(async ({ run, unit, entries }) => {
          const [bound = '', ...more] = options;
          const place = entries.findLastIndex(({ MESSAGE }) =>
            String(MESSAGE).includes('Main process exited'),
          );
          const at = `@${(Number(entries[place]?.__REALTIME_TIMESTAMP) / 1e6).toFixed(6)}`;
          const { stdout } = await run([
            'journalctl',
            '-u',
            unit,
            '-o',
            'json',
            '-a',
            `${bound}=${at}`,
            ...more,
          ]);
          return jsonLines(stdout)
            .map((entry) => entries.findIndex((known) => known.__CURSOR === entry.__CURSOR) - place)
            .filter((distance) => Math.abs(distance) <= 2);
        }),
      );
      assert.deepEqual(found[1], found[0], options.join(' '));
      assert.equal(found[0]?.includes(0), options.join(' ') !== '--until -n 3', options.join(' '));
    }
  });

  const commands: string[][] = [
    ['journalctl', '--cursor=foo'],
    ['journalctl', '--cursor='],
    ['journalctl', '-o', 'nope'],
    ['journalctl', '-n', 'abc'],
    ['journalctl', '--lines=abc'],
    ['journalctl', '-n', '-5'],
    ['journalctl', '--bogus'],
    ['journalctl', '-u'],
    ['journalctl', 'FOO'],
    ['journalctl', '--since', 'garbage'],
    ['journalctl', '--since=@1', '--cursor=a'],
    ['journalctl', '--since=@5', '--until=@3'],
    ['journalctl', '-f', '-r'],
    ['journalctl', '-p', 'bogus'],
    ['journalctl', '--boot=7'],
    ['journalctl', '-u', 'nosuch'],
    ['journalctl', '-u', 'nosuch', '-o', 'json'],
    ['journalctl', '-n', '0', '-o', 'json'],
    ['journalctl', '--until=@5'],
    ['journalctl', '_PID=1', 'SYSLOG_IDENTIFIER=geth'],
    ['systemctl', 'show', '--timestamp=foo', 'execution'],
    ['systemctl', 'frobnicate'],
    ['systemctl', 'show', '--bogus'],
    ['systemctl', 'is-active', 'execution', 'nosuch'],
    ['systemctl', 'is-active', 'nosuch'],
    ['systemctl', '--value', 'show', '-p', 'Id,ActiveState', '--', 'execution', 'nosuch'],
  ];
  for (const argv of commands) {
    it(`answers ${argv.join(' ')} alike`, async () => {
      assert.deepEqual(await runDemo(argv), await runReal(argv));
    });
  }

  it('shows the properties of units in the same order and shape', async () => {
    const names =
      'Id,Names,LoadState,ActiveState,SubState,Description,StateChangeTimestamp,ActiveEnterTimestamp,InactiveEnterTimestamp,' +
      'MainPID,NRestarts,MemoryCurrent,CPUUsageNSec,Result,ExecMainCode,ExecMainStatus,InvocationID';
    const argv = ['systemctl', 'show', '--no-pager', `--property=${names}`, '--timestamp=unix', '--'];
    const shape = (text: string) =>
      text
        .replace(/=@\d+$/gm, '=@')
        .replace(/=[0-9a-f]{32}$/gm, '=ID')
        .replace(/=\d{2,}$/gm, '=N');
    const missing = [await runDemo([...argv, 'nosuch.service']), await runReal([...argv, 'nosuch.service'])];
    assert.deepEqual(missing[0], missing[1]);
    const [one, two] = [
      (await runReal([...argv, 'execution', 'consensus'])).stdout,
      (await runDemo([...argv, 'execution', 'consensus'])).stdout,
    ];
    const plain = (text: string) =>
      shape(text)
        .replace(/^Description=.*$/gm, 'Description=')
        .replace(/^(MemoryCurrent|CPUUsageNSec|InactiveEnterTimestamp|NRestarts)=.*$/gm, '$1=');
    assert.equal(plain(two), plain(one));
  });
});
