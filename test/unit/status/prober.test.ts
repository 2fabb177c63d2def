import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import type { RunResult, SshTarget } from '../../../server/ssh/types.ts';
import { createProber, SERVICES_MAX, statusCommand } from '../../../server/status/prober.ts';

const target: SshTarget = {
  host: 'node.example',
  port: 22,
  username: 'op',
  credential: { method: 'password', password: 'secret' },
};
const ended = (result: Partial<RunResult>): RunResult => ({
  code: 0,
  signal: null,
  stderr: '',
  stdout: '',
  ...result,
});
const options = { signal: new AbortController().signal };

/** A prober on a host that answers each command in turn, and the commands it got. */
function proberOn(...answers: RunResult[]) {
  const commands: (readonly string[])[] = [];
  const probe = createProber({
    pool: {
      async run(_target, argv) {
        commands.push(argv);
        return answers[Math.min(commands.length, answers.length) - 1] ?? ended({});
      },
    },
  });
  return { probe, commands };
}

describe('status prober', () => {
  it('asks for all units in one command, names behind --', async () => {
    const { probe, commands } = proberOn(ended({ stdout: 'Id=execution.service\nActiveState=active\n' }));
    const units = await probe(target, ['execution', 'consensus', 'x.timer'], options);
    assert.deepEqual(
      units.map(({ status }) => status),
      ['active', 'unknown', 'unknown'],
    );
    assert.equal(commands.length, 1);
    const argv = commands[0] ?? [];
    assert.equal(argv[0], 'systemctl');
    assert.deepEqual(argv.slice(argv.indexOf('--')), [
      '--',
      'execution.service',
      'consensus.service',
      'x.timer',
    ]);
  });

  it('[SIO-9] a name that is no unit name reaches no host', async () => {
    const { probe, commands } = proberOn();
    for (const name of ['*', 'a b', '-f', 'x;reboot', 'x\n', 'execu[t]ion', '', '$(id)', '..?']) {
      await assert.rejects(probe(target, ['execution', name], options), { code: 'invalid_service' }, name);
    }
    assert.equal(commands.length, 0);
  });

  it('a great many units are asked for in bounded commands', async () => {
    const { probe, commands } = proberOn(ended({}));
    const many = Array.from({ length: SERVICES_MAX + 1 }, (_, at) => `unit${at}`);
    assert.throws(() => statusCommand(many), { code: 'invalid_service' });
    assert.equal((await probe(target, many, options)).length, many.length);
    assert.deepEqual(
      commands.map((argv) => argv.length - argv.indexOf('--') - 1),
      [SERVICES_MAX, 1],
    );
  });

  it('an old systemd is asked in its own way, and remembered', async () => {
    const { probe, commands } = proberOn(
      ended({ code: 1, stderr: "systemctl: unrecognized option '--timestamp=unix'" }),
      ended({
        stdout:
          'Id=execution.service\nActiveState=active\nActiveEnterTimestamp=Tue 2023-11-14 22:13:20 UTC\n',
      }),
    );
    const [unit] = await probe(target, ['execution'], options);
    assert.equal(unit?.since, '2023-11-14T22:13:20.000Z');
    await probe(target, ['execution'], options);
    assert.deepEqual(
      commands.map((argv) => argv.slice(0, 2)),
      [
        ['systemctl', 'show'],
        ['env', 'TZ=UTC'],
        ['env', 'TZ=UTC'],
      ],
    );
    assert.deepEqual(statusCommand(['execution'], true).at(-1), 'execution.service');
  });

  it('tells a failing command from a dead connection, and shows nothing of either', async () => {
    const noSystemd = proberOn(ended({ code: 127, stderr: 'sh: systemctl: not found in /secret/path' }));
    await assert.rejects(noSystemd.probe(target, ['execution'], options), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'status_failed');
      assert.doesNotMatch(JSON.stringify(error.toPayload()), /secret/);
      return true;
    });
    const dead = proberOn(ended({ code: null, error: new AppError('ssh_closed') }));
    await assert.rejects(dead.probe(target, ['execution'], options), { code: 'ssh_closed' });
  });
});
