import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Starts a program that the kernel ends with this process (prctl(2), PR_SET_PDEATHSIG), if it can be told so. */
export function startChild(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const wrapper = existsSync('/usr/bin/setpriv') ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  const [first = program, ...rest] = [...wrapper, program, ...args];
  const child = spawn(first, rest, options);
  // Shown by the wait for its first answer.
  child.on('error', () => {});
  return child;
}

export const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

/** Ends a child by its pid: SIGTERM, and SIGKILL where that takes longer than `patienceMs`. */
export async function endChild(child: ChildProcess, patienceMs = 5000): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await gone;
  clearTimeout(timer);
}

/** Sends a message to a child and waits for the next one of `kind`. @throws Error where it ends before, or takes too long */
export function askChild<T extends { kind: string }>(
  child: ChildProcess,
  message: object | null,
  kind: string,
  timeoutMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clean();
      reject(new Error(`${kind}: ${reason}`));
    };
    const timer = setTimeout(() => fail(`nothing within ${timeoutMs} ms`), timeoutMs);
    const onMessage = (answer: { kind: string; text?: string }) => {
      if (answer.kind === 'failed') return fail(answer.text ?? 'failed');
      if (answer.kind !== kind) return;
      clean();
      resolve(answer as T);
    };
    const onExit = () => fail('the process has ended');
    function clean(): void {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
    }
    child.on('message', onMessage);
    child.once('exit', onExit);
    if (message) child.send(message);
  });
}

/** Ticks of the CPU times in /proc, in ms: 100 Hz on every Linux that Node runs on (sysconf(3), _SC_CLK_TCK). */
const TICK_MS = 10;

/** User and system time a process has used, in ms (proc(5), /proc/PID/stat). */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Processes that a process has started. */
export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
