import type { UnitStatus } from '../../shared/node-status.ts';
import { normalizeUnit, unitFileName } from '../../shared/unit-name.ts';
import { AppError } from '../core/errors.ts';
import type { RunResult, SshPool, SshTarget } from '../ssh/types.ts';
import { hostKey } from './host-key.ts';
import { PROPERTIES, parseUnits } from './properties.ts';
import type { Probe } from './types.ts';

/** Most units in one command: names of 255 bytes at most, far below the 128 KiB of one argument list. */
export const SERVICES_MAX = 256;
/** A host that has not answered by then counts as unreachable, in ms; login and a slow network included. */
export const PROBE_TIMEOUT = 8_000;
/** Output of one probe, in bytes: 256 units at about 600 bytes. */
const OUTPUT_MAX = 524_288;
/** Hosts remembered as having an old systemd; beyond that all are forgotten and cost one failed command each. */
const OLD_HOSTS_MAX = 1_000;

const SHOW = ['show', '--no-pager', `--property=${PROPERTIES.join(',')}`];

/**
 * The command that asks for units. Names stand behind `--` and hold no glob, because `systemctl show` expands globs
 * [SIO-9]. `plain` is for a systemd too old to know `--timestamp=unix`: it prints local time, so it is told that local
 * time is UTC.
 *
 * @throws AppError invalid_service
 */
export function statusCommand(services: readonly string[], plain = false): string[] {
  if (services.length > SERVICES_MAX) throw new AppError('invalid_service', { detail: 'too many units' });
  const units = services.map((service) => {
    if (normalizeUnit(service) === null) throw new AppError('invalid_service');
    return unitFileName(service);
  });
  const command = plain
    ? ['env', 'TZ=UTC', 'LC_ALL=C', 'systemctl', ...SHOW]
    : ['systemctl', ...SHOW, '--timestamp=unix'];
  return [...command, '--', ...units];
}

function isOldSystemd(result: RunResult): boolean {
  return result.code !== null && result.code !== 0 && /timestamp/i.test(result.stderr);
}

function check(result: RunResult): string {
  if (result.error) throw result.error;
  if (result.code === 0) return result.stdout;
  throw new AppError('status_failed', {
    ...(result.code === 127 ? { detail: 'the host has no systemctl' } : {}),
    cause: new Error(`systemctl ended with ${result.code ?? result.signal}: ${result.stderr.slice(-500)}`),
  });
}

/** Asks hosts for unit states, with one command for up to 256 units. */
export function createProber({ pool }: { pool: Pick<SshPool, 'run'> }): Probe {
  const oldHosts = new Set<string>();

  async function show(target: SshTarget, services: readonly string[], signal: AbortSignal) {
    const key = hostKey(target);
    const run = (plain: boolean) =>
      pool.run(target, statusCommand(services, plain), {
        timeoutMs: PROBE_TIMEOUT,
        maxBytes: OUTPUT_MAX,
        signal,
      });
    const plain = oldHosts.has(key);
    let result = await run(plain);
    if (!plain && isOldSystemd(result)) {
      if (oldHosts.size >= OLD_HOSTS_MAX) oldHosts.clear();
      oldHosts.add(key);
      result = await run(true);
    }
    return parseUnits(check(result), services);
  }

  return async (target, services, { signal }) => {
    const units: UnitStatus[] = [];
    for (let at = 0; at < services.length; at += SERVICES_MAX) {
      units.push(...(await show(target, services.slice(at, at + SERVICES_MAX), signal)));
    }
    return units;
  };
}
