import { Readable } from 'node:stream';
import type { AppError } from '../core/errors.ts';
import type { RemoteExit, RemoteProcess } from './types.ts';

/** What is kept of standard error, in bytes: enough for the last messages of a failing command. */
const STDERR_TAIL_BYTES = 4096;

/** Data handed over but not read yet, in bytes; the rest waits in the channel, whose window stops the host. */
const STDOUT_BUFFER_BYTES = 64 * 1024;

/** As much of an ssh2 client channel as a process needs. */
export type ProcessChannel = Readable & { readonly stderr: Readable; close(): void };

function createTail(limit: number): { add(chunk: Buffer): void; text(): string } {
  let kept: Buffer = Buffer.alloc(0);
  return {
    add(chunk) {
      kept = chunk.length >= limit ? chunk : Buffer.concat([kept, chunk]);
      if (kept.length > limit) kept = Buffer.from(kept.subarray(kept.length - limit));
    },
    // A character cut in half at the front becomes U+FFFD, which is fine for a message.
    text: () => kept.toString('utf8'),
  };
}

export interface ProcessOptions {
  /** Why the connection has ended; undefined while it lasts. */
  failure: () => AppError | undefined;
  /** Listeners called when the connection is gone; the process puts itself in and takes itself out. */
  dying: Set<() => void>;
  /** How long `close()` waits for the host's confirmation. */
  closeTimeoutMs: number;
  /** Called once, when the channel takes no room any more; not `confirmed` where the host never said so. */
  onFreed: (confirmed: boolean) => void;
}

/**
 * Makes a process of an open exec channel.
 * `exit` settles when the host has closed the channel and its output was read, when `close()` was confirmed (or its time is
 * over), or at once when the connection dies. The output ends instead of failing; whoever reads it learns the reason from
 * `exit`. Leaving a `for await` over it closes the process.
 */
export function createRemoteProcess(channel: ProcessChannel, options: ProcessOptions): RemoteProcess {
  const tail = createTail(STDERR_TAIL_BYTES);
  let code: number | null = null;
  let signal: string | null = null;
  let discarding = false;
  let freed = false;
  let closing: Promise<void> | undefined;
  let settle: (exit: RemoteExit) => void = () => {};
  const exit = new Promise<RemoteExit>((resolve) => {
    settle = resolve;
  });
  let gone: () => void = () => {};
  const whenFreed = new Promise<void>((resolve) => {
    gone = resolve;
  });

  const stdout = new Readable({
    highWaterMark: STDOUT_BUFFER_BYTES,
    // The end of the output is not the end of the process: its exit status comes later.
    autoDestroy: false,
    read() {
      channel.resume();
    },
    destroy(_error, done) {
      void close();
      done(null);
    },
  });

  function free(confirmed: boolean): void {
    if (freed) return;
    freed = true;
    options.dying.delete(lose);
    const error = options.failure();
    settle({ code, signal, stderr: tail.text(), ...(error ? { error } : {}) });
    gone();
    options.onFreed(confirmed);
  }

  /** The channel is gone, by itself or with its connection. */
  function lose(): void {
    free(true);
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      if (freed) return;
      discarding = true;
      if (!stdout.readableEnded && !stdout.destroyed) stdout.push(null);
      // Not `end()`: after it ssh2 drops signals silently (mscdex/ssh2#1510). Not `destroy()`: it calls `end()`.
      channel.close();
      // What is still in the channel has to be read away, or its 'close' never comes.
      channel.resume();
      const timer = setTimeout(() => free(false), options.closeTimeoutMs);
      await whenFreed;
      clearTimeout(timer);
    })();
    return closing;
  }

  // ssh2 shares one window between both outputs but opens it again for whichever is read, so a process that writes to
  // standard error would keep filling an unread standard output. Taking standard error here, and answering for the state
  // of standard output, makes the window follow the latter.
  channel.stderr.push = (chunk: Buffer | null) => {
    if (chunk !== null) tail.add(chunk);
    return chunk !== null && channel.readableLength < channel.readableHighWaterMark;
  };
  channel.on('data', (chunk: Buffer) => {
    if (!discarding && !stdout.push(chunk)) channel.pause();
  });
  channel.on('end', () => {
    if (!discarding) stdout.push(null);
  });
  channel.on('exit', (exitCode: number | null, exitSignal?: string) => {
    code = exitCode;
    signal = exitSignal ?? null;
  });
  channel.on('error', () => {});
  channel.on('close', lose);
  options.dying.add(lose);

  return { stdout, exit, close };
}
