import { AppError } from '../core/errors.ts';
import type { RemoteProcess, RunResult } from './types.ts';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 1024 * 1024;

/**
 * Runs a process to its end and collects its output.
 * @param start begins it; the signal aborts when the time is over, connecting included
 * @throws AppError ssh_connection_error where time or output exceed their limit, ssh_closed where the signal aborted or
 *   the connection died (part of an output is never returned as a whole), and what `start` throws
 */
export async function runProcess(
  start: (signal: AbortSignal) => Promise<RemoteProcess>,
  options: { timeoutMs?: number; maxBytes?: number; signal?: AbortSignal } = {},
): Promise<RunResult> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES, signal } = options;
  const abort = new AbortController();
  let stopped: AppError | undefined;
  let process: RemoteProcess | undefined;
  function stop(error: AppError): void {
    stopped ??= error;
    abort.abort();
    void process?.close();
  }
  const onAbort = () => stop(new AppError('ssh_closed', { cause: 'aborted' }));
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => stop(new AppError('ssh_connection_error', { detail: 'the command took too long' })),
    timeoutMs,
  );
  try {
    process = await start(abort.signal);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of process.stdout) {
      size += chunk.length;
      if (size > maxBytes) {
        stop(new AppError('ssh_connection_error', { detail: 'the command printed too much' }));
        break;
      }
      chunks.push(chunk);
    }
    if (stopped) throw stopped;
    const exit = await process.exit;
    if (stopped ?? exit.error) throw stopped ?? exit.error;
    return { ...exit, stdout: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    throw stopped ?? error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    await process?.close();
  }
}
