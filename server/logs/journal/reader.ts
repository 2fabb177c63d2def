import { AppError, toAppError } from '../../core/errors.ts';
import { steadyNow } from '../../core/steady-time.ts';
import { createTurns } from '../../core/turns.ts';
import type { Logger } from '../../core/types.ts';
import type { RemoteProcess, SshPool, SshTarget } from '../../ssh/types.ts';
import {
  GROUPS_PROBE,
  inJournalGroup,
  type JournalQuery,
  type JournalSource,
  journalctl,
  lacksPermission,
  PERMISSION_PROBE,
} from './commands.ts';
import { createExportDecoder } from './export-decoder.ts';
import type { JournalRecord } from './record.ts';

export interface JournalReader {
  /**
   * Runs one journalctl and yields what it prints, chunk by chunk, in its order. Not pulling the next chunk holds the
   * remote side back. Ends with the process: a follow ends only by `signal`, a dead connection or a failing journalctl.
   *
   * @throws AppError journal_permission, log_stream_failed (journalctl exited non-zero), ssh_closed and the pool's codes.
   *   An aborted signal ends the iteration without an error.
   */
  read(target: SshTarget, query: JournalQuery, signal: AbortSignal): AsyncGenerator<JournalRecord[]>;
}

/** How long it is remembered that a login reads the journal as itself or through sudo, in ms. */
const PRIVILEGE_MEMORY_MS = 600_000;
/** Logins remembered at once. */
const PRIVILEGES_MAX = 10_000;

/**
 * The journal of a host over SSH. journalctl runs as the login user first; only after a permission failure through
 * `sudo -n`, which never asks for a password [LOG-7].
 */
export function createJournalReader(deps: { pool: SshPool; logger: Logger }): JournalReader {
  const { pool, logger } = deps;
  /** Shared by all reads: a dozen of them at full speed would leave no room for anything else. */
  const turn = createTurns();
  const privileges = new Map<string, { prefix: Promise<readonly string[]>; until: number }>();

  async function probePrivilege(target: SshTarget): Promise<readonly string[]> {
    const plain = await pool.run(target, PERMISSION_PROBE);
    if (plain.error) throw plain.error;
    if (plain.code === 127) throw new AppError('log_stream_failed', { detail: 'the host has no journalctl' });
    if (!lacksPermission(plain.stderr)) {
      if (plain.stdout !== '') return [];
      const groups = await pool.run(target, GROUPS_PROBE);
      if (inJournalGroup(groups.stdout)) return [];
    }
    const sudo = await pool.run(target, ['sudo', '-n', ...PERMISSION_PROBE]);
    if (sudo.error) throw sudo.error;
    if (sudo.code !== 0 || lacksPermission(sudo.stderr)) throw new AppError('journal_permission');
    logger.info('journal is read through sudo', { host: target.host, user: target.username });
    return ['sudo', '-n'];
  }

  function privilege(target: SshTarget): Promise<readonly string[]> {
    const key = JSON.stringify([target.host, target.port, target.username]);
    const known = privileges.get(key);
    if (known && known.until > steadyNow()) return known.prefix;
    const prefix = probePrivilege(target);
    if (privileges.size >= PRIVILEGES_MAX) privileges.clear();
    privileges.set(key, { prefix, until: steadyNow() + PRIVILEGE_MEMORY_MS });
    // A failure is not remembered: the user may have been added to the group meanwhile.
    prefix.catch(() => privileges.delete(key));
    return prefix;
  }

  async function* records(process: RemoteProcess, source: JournalSource): AsyncGenerator<JournalRecord[]> {
    const extra = 'unit' in source ? [] : source.fields;
    const decoder = createExportDecoder(extra, () => logger.warn('unreadable journal entry'));
    for await (const chunk of process.stdout) {
      await turn();
      const found = decoder.push(chunk);
      if (found.length > 0) yield found;
    }
  }

  return {
    async *read(target, query, signal) {
      let process: RemoteProcess | undefined;
      try {
        const prefix = await privilege(target);
        if (signal.aborted) return;
        process = await pool.exec(target, [...prefix, ...journalctl(query)], { signal });
        const close = () => void process?.close();
        signal.addEventListener('abort', close, { once: true });
        try {
          yield* records(process, query.source);
        } finally {
          signal.removeEventListener('abort', close);
        }
        const exit = await process.exit;
        if (signal.aborted) return;
        if (exit.error) throw exit.error;
        if (exit.code !== 0) {
          throw new AppError('log_stream_failed', {
            cause: new Error(`journalctl: ${exit.code} ${exit.stderr}`),
          });
        }
      } catch (error) {
        if (signal.aborted) return;
        throw toAppError(error, 'ssh_connection_error');
      } finally {
        await process?.close();
      }
    },
  };
}
