import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILT_SERVER } from '../built-server.ts';
import { tail } from '../lab/run.ts';
import { waitFor } from '../lab/wait.ts';

/** Starting takes a second or two; the rest is for a machine that is busy. */
const START_TIMEOUT_MS = 30_000;
/** [RUN-5] allows an orderly stop 10 s. */
const STOP_TIMEOUT_MS = 12_000;
/** A frozen instance does not answer; nobody waits long for it. */
const ASK_TIMEOUT_MS = 500;

export interface InstanceOptions {
  name: string;
  /** Folder for its log. */
  folder: string;
  env: Record<string, string>;
  /** User id to run as, so that its traffic can be told from the others'. It may still read every file. */
  uid?: number;
}

/** One real server process, as it is built. */
export interface Instance {
  readonly name: string;
  readonly pid: number;
  /** Null while it is not running. */
  readonly url: string | null;
  readonly logFile: string;
  start(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and waits until it has gone. */
  kill(): Promise<void>;
  /** SIGTERM. @returns exit code and how long it took in ms; SIGKILL where it takes too long (code null) */
  terminate(): Promise<{ code: number | null; ms: number }>;
  /** A value of /metrics, 0 where there is none of that name; null where it does not answer in time. */
  metric(name: string): Promise<number | null>;
  /** Resident memory in bytes; 0 where it does not run. */
  rss(): number;
}

export function createInstance(options: InstanceOptions): Instance {
  const { name, folder, env, uid } = options;
  const logFile = join(folder, `${name}.log`);
  let child: ChildProcess | undefined;
  let url: string | null = null;

  const ended = () => !child || child.exitCode !== null || child.signalCode !== null;
  const lastLines = () => (existsSync(logFile) ? tail(readFileSync(logFile, 'utf8')) : '');

  async function gone(timeoutMs: number): Promise<boolean> {
    const process = child;
    if (!process || ended()) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      process.once('exit', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  return {
    name,
    logFile,
    get pid() {
      return child?.pid ?? 0;
    },
    get url() {
      return ended() ? null : url;
    },
    async start() {
      const output = openSync(logFile, 'a', 0o644);
      const from = existsSync(logFile) ? readFileSync(logFile).length : 0;
      const identity =
        uid === undefined
          ? []
          : [
              `--reuid=${uid}`,
              `--regid=${uid}`,
              '--clear-groups',
              '--inh-caps=+dac_read_search',
              '--ambient-caps=+dac_read_search',
            ];
      const wrapper = ['setpriv', ...identity, '--pdeathsig', 'KILL', process.execPath];
      const [program = '', ...args] = [...wrapper, BUILT_SERVER.main];
      child = spawn(program, args, {
        cwd: BUILT_SERVER.cwd,
        stdio: ['ignore', output, output],
        env: { PATH: process.env.PATH ?? '', ...env },
      });
      // Shown by the wait for its address.
      child.on('error', () => {});
      closeSync(output);
      url = await waitFor(
        `${name} to be ready`,
        () => {
          if (ended()) throw new Error(`${name} did not start:\n${lastLines()}`);
          const text = readFileSync(logFile).subarray(from).toString();
          return /^Tailwire ready on (\S+)$/m.exec(text)?.[1];
        },
        { timeoutMs: START_TIMEOUT_MS, describe: lastLines },
      );
    },
    signal(signal) {
      if (!ended()) child?.kill(signal);
    },
    async kill() {
      if (!ended()) child?.kill('SIGKILL');
      await gone(STOP_TIMEOUT_MS);
    },
    async terminate() {
      const started = performance.now();
      if (!ended()) child?.kill('SIGTERM');
      if (!(await gone(STOP_TIMEOUT_MS))) {
        child?.kill('SIGKILL');
        await gone(STOP_TIMEOUT_MS);
      }
      return { code: child?.exitCode ?? null, ms: performance.now() - started };
    },
    async metric(metric) {
      if (url === null || ended()) return null;
      try {
        const response = await fetch(`${url}/metrics`, {
          headers: { authorization: `Bearer ${env.METRICS_TOKEN}` },
          signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
        });
        const text = await response.text();
        const line = text
          .split('\n')
          .find((one) => one.startsWith(`${metric} `) || one.startsWith(`${metric}{`));
        return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
      } catch {
        return null;
      }
    },
    rss() {
      if (ended()) return 0;
      try {
        const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8');
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
      } catch {
        return 0;
      }
    },
  };
}
