import { spawn } from 'node:child_process';

export interface RunOptions {
  /** Written to standard input, which is closed afterwards. */
  input?: string | Buffer;
  /** The process is killed after this many ms. */
  timeoutMs?: number;
  /** A non-zero exit is returned instead of thrown. */
  allowFailure?: boolean;
  env?: Record<string, string>;
}

export interface RunResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Bytes kept of each output: enough for any answer the lab asks for, journals are streamed instead. */
const MAX_OUTPUT = 32 * 1024 * 1024;

/**
 * Runs a program to its end.
 *
 * @throws Error naming the program and the last lines it printed, where it cannot start, fails or takes too long.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.env ? { env: options.env } : {}),
    });
    const outputs = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const sizes = { stdout: 0, stderr: 0 };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => {
        sizes[name] += chunk.length;
        if (sizes[name] <= MAX_OUTPUT) outputs[name].push(chunk);
      });
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const what = [program, ...args].join(' ').slice(0, 200);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`Cannot run ${program}: ${error.message}`));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(outputs.stdout).toString();
      const stderr = Buffer.concat(outputs.stderr).toString();
      if (sizes.stdout > MAX_OUTPUT || sizes.stderr > MAX_OUTPUT) {
        return reject(new Error(`Printed more than ${MAX_OUTPUT} bytes: ${what}`));
      }
      if (late)
        return reject(new Error(`Took longer than ${timeoutMs} ms: ${what}\n${tail(stderr || stdout)}`));
      if (code !== 0 && !options.allowFailure) {
        return reject(new Error(`Exit ${code ?? 'by signal'}: ${what}\n${tail(stderr || stdout)}`));
      }
      resolve({ code, stdout, stderr });
    });
    // A program that ends without reading its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

/** The last lines of a text, for error messages. */
export function tail(text: string, lines = 15): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
