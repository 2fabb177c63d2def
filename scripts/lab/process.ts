import { readFileSync } from 'node:fs';

/** A process that can be told from a later one with the same number. */
export interface ProcessId {
  pid: number;
  /** Start time in clock ticks since boot: field 22 of proc_pid_stat(5). */
  startTime: string;
}

/** @returns the identity of a running process, or `null` where it does not run (a zombie does not). */
export function identify(pid: number): ProcessId | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name in parentheses may hold spaces and parentheses itself: fields are counted behind the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (state === 'Z' || state === 'X' || startTime === undefined) return null;
  return { pid, startTime };
}

export function isAlive(process: ProcessId): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

/** Signals a process; one that has gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Identifies this boot of the machine: process numbers and mounts of another boot mean nothing. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
