import { createHmac, randomBytes } from 'node:crypto';
import { AppError, toAppError } from '../core/errors.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { Logger } from '../core/types.ts';
import { normalizeHost } from './address.ts';
import { type Authentication, connectSsh, type SshConnection } from './connection.ts';
import { createHandshakeGate } from './handshakes.ts';
import { DEFAULT_LIMITS, type SshLimits } from './limits.ts';
import { createKeyReader } from './private-key.ts';
import { runProcess } from './run.ts';
import { remoteCommand } from './shell-quote.ts';
import type { HostKeyPolicy, RemoteProcess, SshPool, SshTarget, TargetPolicy } from './types.ts';

/** Credentials remembered as proven or as just refused, per instance; the oldest are forgotten first. */
const MAX_REMEMBERED = 10_000;

interface Entry {
  readonly ready: Promise<SshConnection>;
  /** Set once `ready` has resolved. */
  connection: SshConnection | undefined;
  /** Ends the set-up. */
  readonly abort: AbortController;
  /** Channels in use, and uses that wait for `ready`. */
  used: number;
  /** When (see `steadyNow`) it may get a further channel, because the host refused one; 0 if it never did. */
  fullUntil: number;
  /** Takes no new channels; ends when the last one is gone. */
  retired: boolean;
  idle: NodeJS.Timeout | undefined;
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > MAX_REMEMBERED && !oldest.done) map.delete(oldest.value);
}

/** Waits for a promise, or for the signal; the promise goes on by itself. */
function waitFor<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AppError('ssh_closed', { cause: 'aborted' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * The SSH connections of one instance. A connection is shared by all uses with the same host, port, user, credential
 * and expected host key, carries at most 8 channels, and ends 30 s after its last one. While a credential is not proven
 * only one connection tries it. A connection that dies leaves at once, with `ssh_closed` for its processes; starting
 * again is the caller's business. A credential that the host refused fails at once for 60 s, except by `login`.
 */
export function createSshPool(deps: {
  hostKeys: HostKeyPolicy;
  targets: TargetPolicy;
  logger: Logger;
  limits?: Partial<SshLimits>;
}): SshPool {
  const limits: SshLimits = { ...DEFAULT_LIMITS, ...deps.limits };
  const gate = createHandshakeGate(limits);
  const keys = createKeyReader();
  const groups = new Map<string, Set<Entry>>();
  // Keys with their passphrase taken off, kept while a connection lasts: a further one need not pay for that again.
  const unlocked = new Map<string, Authentication>();
  const proven = new Map<string, true>();
  const refusedUntil = new Map<string, number>();
  // Names a credential inside this process without keeping anything that could be tried offline.
  const digestKey = randomBytes(32);
  let stopping: Promise<void> | undefined;

  function keyOf(target: SshTarget): string {
    const host = normalizeHost(target.host)?.name ?? target.host;
    const { credential } = target;
    const secrets =
      credential.method === 'password'
        ? [credential.password]
        : [credential.privateKey, credential.passphrase ?? ''];
    const identity = [
      host,
      target.port,
      target.username,
      target.hostKey ?? '',
      credential.method,
      ...secrets,
    ];
    return createHmac('sha256', digestKey).update(JSON.stringify(identity)).digest('base64');
  }

  function count(): number {
    let total = 0;
    for (const entries of groups.values()) total += entries.size;
    return total;
  }

  async function authenticationFor(
    target: SshTarget,
    key: string,
    signal: AbortSignal,
  ): Promise<Authentication> {
    const { credential } = target;
    if (credential.method === 'password') return credential;
    const known = unlocked.get(key);
    if (known) return known;
    const parsed = await keys.read(credential.privateKey, credential.passphrase, signal);
    return { method: 'privateKey', key: parsed };
  }

  async function connect(target: SshTarget, key: string, signal: AbortSignal): Promise<SshConnection> {
    const authentication = await authenticationFor(target, key, signal);
    const { address } = await waitFor(deps.targets.resolve(target.host, target.port), signal);
    const leave = await gate.enter(`${address} ${target.port}`, { proven: proven.has(key), signal });
    let software = '';
    let failure: AppError | undefined;
    try {
      const host = normalizeHost(target.host)?.name ?? target.host;
      const connection = await connectSsh({
        address,
        port: target.port,
        username: target.username,
        authentication,
        verifyHostKey: (hostKey) => deps.hostKeys.check({ host, port: target.port }, hostKey, target.hostKey),
        limits,
        signal,
        onSoftware: (name) => {
          software = name;
        },
      });
      remember(proven, key, true);
      unlocked.set(key, authentication);
      refusedUntil.delete(key);
      return connection;
    } catch (error) {
      failure = toAppError(error, 'host_unreachable');
      if (failure.code === 'auth_failed') {
        proven.delete(key);
        remember(refusedUntil, key, steadyNow() + limits.authCooldownMs);
      }
      throw failure;
    } finally {
      leave(failure?.code === 'auth_failed' ? 'auth_failed' : 'done', software);
    }
  }

  function remove(key: string, entry: Entry): void {
    clearTimeout(entry.idle);
    entry.retired = true;
    const entries = groups.get(key);
    entries?.delete(entry);
    if (entries?.size !== 0) return;
    groups.delete(key);
    unlocked.delete(key);
  }

  /** Begins a connection that counts as used once. */
  function open(target: SshTarget, key: string): Entry {
    const entries = groups.get(key) ?? new Set();
    if (entries.size >= limits.connectionsPerTarget || count() >= limits.connections) {
      throw new AppError('ssh_busy', { cause: 'connection limit of this server' });
    }
    const abort = new AbortController();
    const at = { host: target.host, port: target.port, username: target.username };
    const ready = connect(target, key, abort.signal).then(
      async (connection) => {
        if (abort.signal.aborted) {
          // Given up in the moment it came about.
          await connection.end();
          remove(key, entry);
          throw new AppError('ssh_closed', { cause: 'aborted' });
        }
        entry.connection = connection;
        deps.logger.debug('ssh connected', at);
        void connection.closed.then((reason) => {
          remove(key, entry);
          deps.logger.debug('ssh connection ended', { ...at, cause: String(reason.cause ?? '') });
        });
        return connection;
      },
      (error: unknown) => {
        remove(key, entry);
        const failure = toAppError(error);
        deps.logger.info('ssh connection failed', {
          ...at,
          code: failure.code,
          cause: String(failure.cause ?? ''),
        });
        throw failure;
      },
    );
    // Its waiters hear of a failure; where all have gone, nobody needs to.
    ready.catch(() => {});
    const entry: Entry = {
      ready,
      connection: undefined,
      abort,
      used: 1,
      fullUntil: 0,
      retired: false,
      idle: undefined,
    };
    groups.set(key, entries.add(entry));
    return entry;
  }

  function release(entry: Entry): void {
    entry.used -= 1;
    if (entry.used > 0) return;
    const { connection } = entry;
    if (!connection) entry.abort.abort();
    else if (entry.retired || connection.worn()) void connection.end();
    else {
      clearTimeout(entry.idle);
      entry.idle = setTimeout(() => {
        entry.retired = true;
        void connection.end();
      }, limits.idleMs);
    }
  }

  /** An entry with room for one more, counted as used; those being set up come last. `fresh`: none that ever was full. */
  function reserve(key: string, fresh: boolean): Entry | undefined {
    const open = [...(groups.get(key) ?? [])].filter(
      (entry) =>
        !entry.retired &&
        !entry.connection?.worn() &&
        !entry.abort.signal.aborted &&
        entry.used < limits.channelsPerConnection &&
        (fresh ? entry.fullUntil === 0 : entry.fullUntil <= steadyNow()),
    );
    const entry = open.find((candidate) => candidate.connection) ?? open[0];
    if (!entry) return undefined;
    entry.used += 1;
    clearTimeout(entry.idle);
    return entry;
  }

  function assertUsable(key: string, signal: AbortSignal | undefined): void {
    if (stopping) throw new AppError('draining');
    if (signal?.aborted) throw new AppError('ssh_closed', { cause: 'aborted' });
    if ((refusedUntil.get(key) ?? 0) > steadyNow())
      throw new AppError('auth_failed', { cause: 'refused just now' });
  }

  async function acquire(
    target: SshTarget,
    key: string,
    fresh: boolean,
    signal: AbortSignal | undefined,
  ): Promise<{ entry: Entry; connection: SshConnection }> {
    for (;;) {
      assertUsable(key, signal);
      let entry = reserve(key, fresh);
      if (!entry) {
        const connecting = [...(groups.get(key) ?? [])].find((candidate) => !candidate.connection);
        if (connecting && !proven.has(key)) {
          // Several connections with a wrong password would be several failed logins.
          await waitFor(connecting.ready, signal).catch((error: unknown) => {
            // Given up by those who wanted it, which says nothing about the host.
            if (!connecting.abort.signal.aborted) throw error;
          });
          continue;
        }
        entry = open(target, key);
      }
      try {
        return { entry, connection: await waitFor(entry.ready, signal) };
      } catch (error) {
        release(entry);
        throw error;
      }
    }
  }

  async function exec(
    target: SshTarget,
    argv: readonly string[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RemoteProcess> {
    const command = remoteCommand(argv);
    const key = keyOf(target);
    for (const fresh of [false, true]) {
      const { entry, connection } = await acquire(target, key, fresh, signal);
      try {
        return await connection.start(command, {
          ...(signal ? { signal } : {}),
          onFreed: () => release(entry),
        });
      } catch (error) {
        const { code } = toAppError(error);
        if (code === 'ssh_busy') entry.fullUntil = steadyNow() + limits.fullMs;
        if (code !== 'ssh_busy' || fresh) throw error;
      }
    }
    throw new AppError('ssh_busy');
  }

  return {
    exec,

    async login(target) {
      if (stopping) throw new AppError('draining');
      const entry = open(target, keyOf(target));
      try {
        return { ...(await entry.ready).hostKey };
      } finally {
        release(entry);
      }
    },

    run: (target, argv, options) => runProcess((signal) => exec(target, argv, { signal }), options),

    stats() {
      let channels = 0;
      for (const entries of groups.values()) for (const entry of entries) channels += entry.used;
      return { connections: count(), channels };
    },

    stop() {
      stopping ??= (async () => {
        const ending: Promise<unknown>[] = [];
        for (const entries of groups.values()) {
          for (const entry of entries) {
            entry.abort.abort();
            ending.push(entry.ready.then((connection) => connection.end()).catch(() => {}));
          }
        }
        await Promise.all(ending);
      })();
      return stopping;
    },
  };
}
