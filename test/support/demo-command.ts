import { runCommand } from '../../server/demo/commands.ts';
import type { SimulatedHost } from '../../server/demo/host.ts';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line on a simulated host without SSH. */
export async function runOn(
  host: SimulatedHost,
  line: string,
  { signal = new AbortController().signal, now = 0 }: { signal?: AbortSignal; now?: number } = {},
): Promise<CommandResult> {
  const stdout: Buffer[] = [];
  let stderr = '';
  const code = await runCommand(line, host, {
    out: async (data) => {
      stdout.push(Buffer.from(data));
    },
    err: (text) => {
      stderr += text;
    },
    signal,
    now: () => now,
  });
  return { code, stdout: Buffer.concat(stdout).toString(), stderr };
}

/** The lines of JSON Lines output, decoded. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
