import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { run } from '../lab/run.ts';
import { waitFor } from '../lab/wait.ts';
import { endChild, startChild } from './child.ts';

/** What one would use at a terminal: the ssh program, its connection open already, as ours is. */
export interface SshClient {
  /** Runs a command there and counts the lines it prints, as `ssh HOST COMMAND | wc -l`. @returns the count and ms */
  count(command: readonly string[]): Promise<{ lines: number; ms: number }>;
  /** Starts a command there; the caller reads its output and ends it. */
  start(command: readonly string[]): ChildProcess;
  stop(): Promise<void>;
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

export async function openSsh(lab: Lab, host: LabHost, folder: string): Promise<SshClient> {
  const socket = join(folder, 'ssh');
  const config = [
    '-F',
    'none',
    '-S',
    socket,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
  ];
  const words = [...config, '-o', 'LogLevel=ERROR', '-i', lab.privateKeyPath, `ethnode@${host.address}`];
  const master = startChild('ssh', ['-M', '-N', ...words], { stdio: 'ignore' });
  await waitFor('ssh to connect', async () => {
    return (await run('ssh', ['-O', 'check', ...words], { allowFailure: true })).code === 0;
  });
  const remote = (command: readonly string[]) => command.map(quote).join(' ');
  return {
    async count(command) {
      const line = ['ssh', ...words, remote(command)].map(quote).join(' ');
      const started = performance.now();
      const { stdout } = await run('sh', ['-c', `${line} | wc -l`], { timeoutMs: 120_000 });
      return { lines: Number(stdout), ms: performance.now() - started };
    },
    start: (command) =>
      startChild('ssh', [...words, remote(command)], { stdio: ['ignore', 'pipe', 'ignore'] }),
    stop: () => endChild(master),
  };
}
