import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { enterArgs } from './container.ts';

/** A journal entry as `journalctl -o json --all` prints it: strings; arrays of byte numbers; arrays of those; null. */
export type JournalRecord = Record<string, unknown>;

/** Reading 200 000 entries takes some 10 s. */
const READ_TIMEOUT_MS = 120_000;

/**
 * Reads a host's journal inside the host, after everything written before is in it.
 *
 * @param args further arguments of journalctl
 */
export async function readJournal(leader: number, args: readonly string[]): Promise<JournalRecord[]> {
  await journalctl(leader, ['--sync']);
  const records: JournalRecord[] = [];
  await journalctl(leader, ['-o', 'json', '--all', '--no-pager', ...args], (line) => {
    records.push(JSON.parse(line) as JournalRecord);
  });
  return records;
}

function journalctl(leader: number, args: string[], onLine?: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [...enterArgs(leader), 'journalctl', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-2000);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), READ_TIMEOUT_MS);
    const lines = createInterface({ input: child.stdout, crlfDelay: 0 });
    const read = new Promise<void>((done) => lines.on('close', () => done()));
    lines.on('line', (line) => {
      if (line !== '') onLine?.(line);
    });
    child.on('error', reject);
    child.on('close', async (code) => {
      clearTimeout(timer);
      await read;
      if (code === 0) resolve();
      else reject(new Error(`journalctl ${args.join(' ')} ended with ${code}: ${stderr.trim()}`));
    });
  });
}

/** The text of an entry's MESSAGE, with byte arrays decoded as UTF-8. */
export function messageOf(record: JournalRecord): string {
  const message = record.MESSAGE;
  if (Array.isArray(message)) return Buffer.from(message as number[]).toString();
  return typeof message === 'string' ? message : '';
}
