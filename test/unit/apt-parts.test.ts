import assert from 'node:assert/strict';
import { ensureParts, PARTS } from '../../scripts/apt-parts.mjs';

/** A machine that has the given programs, and gets those of a package it installs. */
function fakeMachine(programs: string[], { root = true, debian = true } = {}) {
  const have = new Set(programs);
  const commands: string[] = [];
  const lines: string[] = [];
  return {
    commands,
    lines,
    has: (program: string) => have.has(program),
    run: (program: string, args: string[]) => {
      commands.push([program, args[0], args.at(-1)].join(' '));
      const part = PARTS.find((candidate) => candidate.package === args.at(-1));
      if (args[0] === 'install') for (const name of part?.programs ?? []) have.add(name);
      return null;
    },
    isRoot: () => root,
    isDebian: () => debian,
    log: (line: string) => {
      lines.push(line);
    },
    withoutServices: (work: () => void) => {
      commands.push('hold services');
      work();
      commands.push('release services');
    },
  };
}

const everything = PARTS.flatMap((part) => part.programs);

describe('ensureParts', () => {
  it('does nothing, not even an update, where all is there', () => {
    const machine = fakeMachine(everything);
    assert.deepEqual(ensureParts(machine), []);
    assert.deepEqual(machine.commands, []);
    assert.deepEqual(machine.lines, []);
  });

  it('updates once and installs only what is missing, with services held back', () => {
    const machine = fakeMachine(
      everything.filter((name) => name !== 'redis-server' && name !== 'debootstrap'),
    );
    assert.deepEqual(ensureParts(machine), []);
    assert.deepEqual(machine.commands, [
      'apt-get update -qq',
      'hold services',
      'apt-get install redis-server',
      'systemctl disable redis-server',
      'apt-get install debootstrap',
      'release services',
    ]);
    assert.equal(machine.lines.length, 2);
  });

  it('says what is missing where it may not install', () => {
    const machine = fakeMachine(
      everything.filter((name) => name !== 'chromium'),
      { root: false },
    );
    assert.deepEqual(ensureParts(machine), ['chromium']);
    assert.deepEqual(machine.commands, []);
    assert.match(machine.lines.join(), /^chromium is missing .*only root/);
  });
});
