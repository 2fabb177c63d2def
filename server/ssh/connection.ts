import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import ssh2 from 'ssh2';
import { AppError } from '../core/errors.ts';
import type { SshLimits } from './limits.ts';
import { createRemoteProcess, type ProcessChannel } from './process.ts';
import type { HostKey, HostKeyVerdict, RemoteProcess } from './types.ts';

/** A private key that ssh2 has parsed; opaque elsewhere. */
export type ParsedKey = ssh2.ParsedKey;

/** What is sent to prove an identity, ready for use. */
export type Authentication =
  | { method: 'password'; password: string }
  | { method: 'privateKey'; key: ParsedKey };

/** Parses a private key in a format that ssh2 knows (OpenSSH, PKCS#1, SEC1, PuTTY 2). Slow (bcrypt) where it is encrypted. */
export function parseKey(text: string, passphrase?: string): ParsedKey | Error {
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
  if (key instanceof Error) return key;
  return key.isPrivateKey() ? key : new Error('this is a public key');
}

export interface SshConnection {
  readonly hostKey: HostKey & HostKeyVerdict;
  /** Whether it can carry no further channels: it is ending, or the host did not open or close one as it should. */
  worn(): boolean;
  /** Settles with the reason when the connection is gone; never rejects. */
  readonly closed: Promise<AppError>;
  /**
   * Starts a command on a channel of its own. `onFreed` is called once, when that channel takes no room any more,
   * also where this throws (then possibly later).
   * @throws AppError ssh_busy (the host opens no more channels here), ssh_closed, ssh_connection_error
   */
  start(command: string, options: { signal?: AbortSignal; onFreed: () => void }): Promise<RemoteProcess>;
  /** Says goodbye and closes; resolves when closed. Idempotent. */
  end(): Promise<void>;
}

export interface ConnectOptions {
  /** The address that the target policy has checked. */
  address: string;
  port: number;
  username: string;
  authentication: Authentication;
  /** Refuses by throwing an AppError; nothing about the user is sent before it has accepted [SES-3]. */
  verifyHostKey: (key: HostKey) => Promise<HostKeyVerdict>;
  limits: SshLimits;
  signal?: AbortSignal;
  /** Told what the host's sshd calls itself, for example OpenSSH_9.9p1, as soon as it does. */
  onSoftware?: (software: string) => void;
}

/**
 * In so many bytes a host has to identify itself. The line takes at most 255 (RFC 4253 4.2), others may stand before it;
 * ssh2 would keep those without end, and look through them all again for each packet.
 */
const GREETING_BYTES = 16_384;

/** How long the other side has to close after us, in ms, before the socket is destroyed. */
const END_TIMEOUT_MS = 1_000;

/** sshd says this instead of its identification when it drops a connection unauthenticated (sshd.c: MaxStartups, PerSourcePenalties). */
const TURNED_AWAY = /^(?:Exceeded MaxStartups|Not allowed at this time)/;

function fingerprint(blob: Buffer): HostKey {
  // The blob starts with its algorithm as a string with a 32-bit length (RFC 4253 6.6).
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return {
    algorithm: blob.toString('latin1', 4, 4 + Math.min(length, 64)),
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
  };
}

/** Names the next authentication attempt, or false for none. A password is judged by the host at most once. */
function createAuthHandler(
  username: string,
  authentication: Authentication,
  onRefused: (detail?: string) => void,
) {
  const tried = new Set<string>();
  let answered = false;

  function prompt(
    _name: string,
    _instructions: string,
    _language: string,
    prompts: { prompt: string; echo?: boolean }[],
    finish: (answers: string[]) => void,
  ): void {
    const [only] = prompts;
    const answerable = prompts.length === 1 && only && !only.echo && !answered;
    if (authentication.method === 'password' && answerable) {
      answered = true;
      finish([authentication.password]);
    } else {
      onRefused(answered ? undefined : 'the host asks for more than a password');
    }
  }

  return (left: string[] | null, partial: boolean | null): ssh2.AnyAuthMethod | false => {
    if (partial) {
      onRefused('the host asks for a second factor');
      return false;
    }
    if (authentication.method === 'privateKey') {
      if (tried.has('publickey')) return false;
      tried.add('publickey');
      return { type: 'publickey', username, key: authentication.key };
    }
    if (!tried.has('password')) {
      tried.add('password');
      return { type: 'password', username, password: authentication.password };
    }
    // A host that does not list the method `password` has not judged the password (PasswordAuthentication no).
    if (!tried.has('kbd') && left && !left.includes('password') && left.includes('keyboard-interactive')) {
      tried.add('kbd');
      return { type: 'keyboard-interactive', username, prompt };
    }
    return false;
  };
}

/**
 * Connects and logs in.
 * @throws AppError auth_failed, host_key_changed (or what `verifyHostKey` threw),
 *   host_unreachable, ssh_busy (the sshd turns connections away), ssh_closed where the signal aborted
 */
export function connectSsh(options: ConnectOptions): Promise<SshConnection> {
  const { limits, signal } = options;
  if (signal?.aborted) return Promise.reject(new AppError('ssh_closed', { cause: 'aborted' }));
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    const socket = connectTcp({ host: options.address, port: options.port, noDelay: true });
    const channels = new Set<ProcessChannel>();
    let greeting = '';
    let software = '';
    let failure: AppError | undefined;
    let offered: { blob: Buffer; key: HostKey } | undefined;
    let accepted: (HostKey & HostKeyVerdict) | undefined;
    let settled = false;
    let worn = false;
    /** What has to be told when the connection is gone. */
    const dying = new Set<() => void>();
    let setClosed: (reason: AppError) => void = () => {};
    const closed = new Promise<AppError>((done) => {
      setClosed = done;
    });

    /** The first reason given counts: what follows from it says less. */
    function fail(error: AppError): void {
      failure ??= error;
      socket.destroy();
      if (settled) return;
      settled = true;
      signal?.removeEventListener('abort', abort);
      reject(failure);
    }

    function abort(): void {
      fail(new AppError('ssh_closed', { cause: 'aborted' }));
    }

    function explain(cause: unknown): AppError {
      if (settled) return new AppError('ssh_closed', { cause });
      if (TURNED_AWAY.test(greeting)) {
        return new AppError('ssh_busy', { detail: 'its sshd turns new connections away for now', cause });
      }
      const level = (cause as { level?: unknown }).level;
      if (level === 'client-authentication' || (accepted && /authentication fail/i.test(String(cause)))) {
        return new AppError('auth_failed', { cause });
      }
      return new AppError('host_unreachable', { cause });
    }

    // Any data is a sign of life: answers to pings queue behind the output of a slow link.
    const silence = setTimeout(() => {
      if (settled) fail(new AppError('ssh_closed', { cause: 'keepalive timeout' }));
    }, limits.keepaliveIntervalMs * limits.keepaliveMisses);

    function guard(data: Buffer): void {
      silence.refresh();
      if (!software) {
        greeting += data.toString('latin1', 0, GREETING_BYTES);
        software = /^SSH-[\d.]+-(\S+)/m.exec(greeting)?.[1] ?? '';
        if (software) options.onSoftware?.(software);
        else if (greeting.length > GREETING_BYTES) fail(explain(new Error('no identification')));
      }
      // ssh2 lets a host overrun the window (mscdex/ssh2#1505), and answers it without looking whether it reads.
      let unread = 0;
      for (const channel of channels) unread = Math.max(unread, channel.readableLength);
      // A host that announces keys is asked to prove them; ssh2 keeps every such question until it is answered.
      const questions = (client as unknown as { _callbacks?: unknown[] })._callbacks?.length ?? 0;
      if (
        unread > limits.unreadBytes ||
        socket.writableLength > limits.unsentBytes ||
        questions > limits.unansweredRequests
      ) {
        fail(new AppError('ssh_connection_error', { cause: 'the host keeps to no flow control' }));
      }
    }

    // For the whole life of the client, and after `end()` too: an 'error' nobody listens to ends the process
    // (mscdex/ssh2#902, #1022).
    client.on('error', (error: Error) => fail(explain(error)));
    client.on('close', () => {
      clearTimeout(silence);
      if (!settled) fail(explain(new Error('closed during the handshake')));
      failure ??= new AppError('ssh_closed');
      // First those who hand out channels, then those who had one and may want another.
      setClosed(failure);
      for (const tell of [...dying]) tell();
    });
    client.on('change password', () => {
      fail(new AppError('auth_failed', { detail: 'the password has expired' }));
    });
    client.on('ready', () => {
      if (settled || !accepted) return abort();
      settled = true;
      signal?.removeEventListener('abort', abort);
      silence.refresh();
      resolve({ hostKey: accepted, worn: () => worn || failure !== undefined, closed, start, end });
    });

    function verify(blob: Buffer, answer: (permitted: boolean) => void): void {
      // Key re-exchange asks again: the key must still be the one that was accepted.
      if (offered) {
        const same = offered.blob.equals(blob);
        if (!same) fail(new AppError('host_key_changed'));
        answer(same && accepted !== undefined);
        return;
      }
      const key = fingerprint(blob);
      offered = { blob: Buffer.from(blob), key };
      options.verifyHostKey(key).then(
        (verdict) => {
          if (failure) return;
          accepted = { ...key, ...verdict };
          answer(true);
        },
        (error: unknown) => {
          fail(error instanceof AppError ? error : new AppError('host_unreachable', { cause: error }));
        },
      );
    }

    function start(
      command: string,
      { signal: aborting, onFreed }: { signal?: AbortSignal; onFreed: () => void },
    ): Promise<RemoteProcess> {
      return new Promise((started, refused) => {
        let waiting = true;
        let freed = false;
        function free(): void {
          if (freed) return;
          freed = true;
          clearTimeout(timer);
          dying.delete(lose);
          onFreed();
        }
        /** Gives the caller up; the channel, should it still open, is closed as soon as it does. */
        function giveUp(error: AppError): void {
          if (!waiting) return;
          waiting = false;
          aborting?.removeEventListener('abort', onAbort);
          refused(error);
        }
        function onAbort(): void {
          giveUp(new AppError('ssh_closed', { cause: 'aborted' }));
        }
        function lose(): void {
          giveUp(failure ?? new AppError('ssh_closed'));
          free();
        }
        /** Nobody waits longer for this host; what is lost on it goes with the connection. */
        function writeOff(): void {
          worn = true;
          giveUp(new AppError('ssh_connection_error', { cause: 'opening a channel took too long' }));
          free();
        }
        const timer = setTimeout(writeOff, limits.openTimeoutMs);
        aborting?.addEventListener('abort', onAbort, { once: true });
        dying.add(lose);
        try {
          client.exec(command, (error, channel) => {
            if (error) {
              // With a reason it is the host that opened no channel (RFC 4254 5.1). Otherwise it did, but refused the
              // command, and ssh2 does not let us close it.
              const busy = 'reason' in error;
              if (!busy) worn = true;
              giveUp(failure ?? new AppError(busy ? 'ssh_busy' : 'ssh_connection_error', { cause: error }));
              return free();
            }
            clearTimeout(timer);
            dying.delete(lose);
            channels.add(channel);
            const process = createRemoteProcess(channel, {
              failure: () => failure,
              dying,
              closeTimeoutMs: limits.closeTimeoutMs,
              onFreed: (confirmed) => {
                if (confirmed) channels.delete(channel);
                else worn = true;
                free();
              },
            });
            if (!waiting) return void process.close();
            waiting = false;
            aborting?.removeEventListener('abort', onAbort);
            started(process);
          });
        } catch (cause) {
          failure ??= new AppError('ssh_closed', { cause });
          lose();
        }
      });
    }

    let ending: Promise<void> | undefined;
    function end(): Promise<void> {
      ending ??= (async () => {
        client.end();
        const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
        await closed;
        clearTimeout(timer);
      })();
      return ending;
    }

    signal?.addEventListener('abort', abort, { once: true });
    client.connect({
      sock: socket,
      username: options.username,
      hostVerifier: verify,
      authHandler: createAuthHandler(options.username, options.authentication, (detail) =>
        fail(new AppError('auth_failed', detail === undefined ? {} : { detail })),
      ) as ssh2.AuthHandlerMiddleware,
      readyTimeout: limits.readyTimeoutMs,
      keepaliveInterval: limits.keepaliveIntervalMs,
      // Ours is the limit (see `silence`): ssh2 takes a slow link under load for a dead one.
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
      // A host could send us a decompression bomb.
      algorithms: { compress: ['none'] },
    });
    socket.on('data', guard);
  });
}
