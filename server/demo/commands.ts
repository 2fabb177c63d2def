import type { SimulatedHost } from './host.ts';
import type { CommandIo } from './io.ts';
import { journalctl } from './journalctl.ts';
import { systemctl } from './systemctl.ts';
import { splitWords } from './words.ts';

const NOT_FOUND = 127;
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;

/** Drops what only sets the stage: `exec`, variable assignments, `env NAME=value`, `sudo -n [--]`, `command`. */
function withoutPrefix(words: readonly string[]): string[] {
  const rest = [...words];
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    const wrapper = word === 'exec' || word === 'env' || word === 'sudo' || word === 'command';
    if (!wrapper && !ASSIGNMENT.test(word)) break;
    rest.shift();
    while (word === 'sudo' && /^(-n|-k|--non-interactive|--)$/.test(rest[0] ?? '')) rest.shift();
  }
  return rest;
}

/**
 * Runs a command line as a login shell on the simulated host would. Nothing is started on this machine: the commands
 * known here are functions over the simulation.
 *
 * @returns the exit code: 127 for an unknown command, 2 for what needs a real shell
 */
export async function runCommand(line: string, host: SimulatedHost, io: CommandIo): Promise<number> {
  const words = splitWords(line);
  if (words === null) {
    io.err('sh: 1: Syntax error: the demo node runs single commands only\n');
    return 2;
  }
  const [name = '', ...args] = withoutPrefix(words);
  switch (name.replace(/^\/(usr\/)?bin\//, '')) {
    case 'journalctl':
      return journalctl(args, host.journal, io);
    case 'systemctl':
      return systemctl(args, host.units, io);
    case 'true':
    case '':
      return 0;
    case 'false':
      return 1;
    case 'id':
      return answer(io, 'uid=1000(demo) gid=1000(demo) groups=1000(demo),101(systemd-journal)\n');
    case 'whoami':
      return answer(io, 'demo\n');
    case 'hostname':
      return answer(io, `${host.name}\n`);
    case 'cat':
      return cat(args, host, io);
    default:
      io.err(`sh: 1: ${name.slice(0, 255)}: command not found\n`);
      return NOT_FOUND;
  }
}

async function answer(io: CommandIo, text: string): Promise<number> {
  await io.out(text);
  return 0;
}

async function cat(paths: readonly string[], host: SimulatedHost, io: CommandIo): Promise<number> {
  const files = new Map([
    ['/etc/machine-id', `${host.journal.machineId}\n`],
    ['/etc/hostname', `${host.name}\n`],
    ['/etc/os-release', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'],
  ]);
  let code = 0;
  for (const path of paths) {
    const text = files.get(path);
    if (text !== undefined) await io.out(text);
    else {
      io.err(`cat: ${path.slice(0, 255)}: No such file or directory\n`);
      code = 1;
    }
  }
  return code;
}
