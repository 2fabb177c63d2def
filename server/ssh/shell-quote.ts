import { AppError } from '../core/errors.ts';

/** Linux refuses a single argument of 128 KiB (MAX_ARG_STRLEN, execve(2)); sshd hands the command over as one. */
const MAX_COMMAND_BYTES = 100_000;

/** Words no shell does anything with. No `~`, `%`, `^` or `#`, which some login shells expand at the start of a word. */
const PLAIN = /^[A-Za-z0-9_@+:,./-][A-Za-z0-9_@+:,./=-]*$/;

/** Reserved where they stand first (POSIX Shell Command Language 2.4, and those of bash). */
const RESERVED = new Set(
  'case do done elif else esac fi for if in then until while function select time coproc'.split(' '),
);

function quoteWord(word: string, first: boolean): string {
  const plain = PLAIN.test(word) && !(first && (word.includes('=') || RESERVED.has(word)));
  // Inside single quotes nothing is special but the single quote itself (POSIX Shell Command Language 2.2.2).
  return plain ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Writes an argument vector as one simple command for a POSIX shell. Each word arrives as it is: nothing is expanded,
 * split or run. Words that need no quotes get none, so that process lists and forced commands read naturally.
 * @throws AppError invalid_request where no command can carry it: no words, an empty program name, NUL, over 100 kB
 */
export function quoteArgv(argv: readonly string[]): string {
  if (!argv[0]) throw new AppError('invalid_request', { cause: 'a command needs a program name' });
  if (argv.some((word) => word.includes('\0')))
    throw new AppError('invalid_request', { cause: 'NUL in a command' });
  const command = argv.map((word, index) => quoteWord(word, index === 0)).join(' ');
  if (Buffer.byteLength(command) > MAX_COMMAND_BYTES)
    throw new AppError('invalid_request', { cause: 'the command is too long' });
  return command;
}

/**
 * The command line for an argument vector: `exec` and its words. The login shell replaces itself by the program, so that
 * nothing is left when the channel closes; without `exec` some shells stay beside it as its parent (dash 0.5.12 does).
 * @throws AppError as `quoteArgv`
 */
export function remoteCommand(argv: readonly string[]): string {
  return `exec ${quoteArgv(argv)}`;
}
