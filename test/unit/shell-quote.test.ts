import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { AppError } from '../../server/core/errors.ts';
import { quoteArgv, remoteCommand } from '../../server/ssh/shell-quote.ts';

/** What one shell makes of commands: the words that `printf` gets of each, ended by NUL; a word EOF where each ends. */
function wordsIn(shell: string, commands: readonly string[][]): string[] {
  const script = commands.map((argv) => quoteArgv(['printf', '%s\\0', ...argv, 'EOF'])).join('\n');
  const output = execFileSync(shell, ['-c', script], { encoding: 'buffer' });
  return output.toString('utf8').split('\0').slice(0, -1);
}

describe('shell quoting', () => {
  it('[SIO-9] leaves plain words as they are, so that process lists read naturally', () => {
    const argv = [
      'journalctl',
      '-f',
      '-u',
      'execution.service',
      '--output-fields=MESSAGE,PRIORITY',
      '-n',
      '100',
    ];
    assert.equal(quoteArgv(argv), argv.join(' '));
  });

  it('has the login shell replace itself', () => {
    assert.equal(remoteCommand(['journalctl', '-f']), 'exec journalctl -f');
  });

  it('quotes what a shell would act on', () => {
    assert.equal(quoteArgv(['echo', '']), "echo ''");
    assert.equal(quoteArgv(['echo', 'a b']), "echo 'a b'");
    assert.equal(quoteArgv(['echo', "it's"]), "echo 'it'\\''s'");
    assert.equal(quoteArgv(['echo', '$(id)', ';', '~', '*']), "echo '$(id)' ';' '~' '*'");
    assert.equal(quoteArgv(['echo', '=ls']), "echo '=ls'");
  });

  it('takes a first word for a program, never for an assignment or a keyword', () => {
    assert.equal(quoteArgv(['A=1', 'id']), "'A=1' id");
    assert.equal(quoteArgv(['time', 'id']), "'time' id");
    assert.throws(() => execFileSync('dash', ['-c', quoteArgv(['if'])], { stdio: 'ignore' }), {
      status: 127,
    });
  });

  it('refuses NUL, nothing at all and what execve would refuse', () => {
    const refused = (error: unknown) => error instanceof AppError && error.code === 'invalid_request';
    assert.throws(() => quoteArgv(['echo', 'a\0b']), refused);
    assert.throws(() => quoteArgv([]), refused);
    assert.throws(() => quoteArgv(['', 'a']), refused);
    assert.throws(() => quoteArgv(['echo', 'x'.repeat(100_001)]), refused);
  });

  for (const shell of ['bash', 'dash']) {
    it(`[SIO-9] brings every word through ${shell} unchanged`, () => {
      const nasty = fc.string({ unit: fc.constantFrom(...`'"\\$\`!*?[]{}()<>|&;#~=% \t\n\r-aZ0é`) });
      const anything = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
      const words = fc.array(fc.oneof(nasty, anything), { minLength: 1, maxLength: 8 });
      // Many commands for one shell: starting one takes long where this process has grown large.
      const commands = fc.array(words, { minLength: 30, maxLength: 60 });
      fc.assert(
        fc.property(commands, (given) => {
          const expected = given.flatMap((argv) => [...argv, 'EOF']);
          assert.deepEqual(wordsIn(shell, given), expected);
        }),
        { numRuns: 10 },
      );
    });
  }
});
