import type { StatusWord, UnitStatus } from '../../shared/node-status.ts';
import { unitFileName } from '../../shared/unit-name.ts';
import { clientName } from './client-name.ts';

/** Unit properties the status is made of (org.freedesktop.systemd1(5)); a unit type lacks some, an old systemd others. */
export const PROPERTIES = [
  'Id',
  'Names',
  'LoadState',
  'ActiveState',
  'SubState',
  'Description',
  'StateChangeTimestamp',
  'ActiveEnterTimestamp',
  'InactiveEnterTimestamp',
  'MainPID',
  'NRestarts',
  'MemoryCurrent',
  'CPUUsageNSec',
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
] as const;

type Properties = ReadonlyMap<string, string>;

/** ActiveState in one word [SIO-6]; a state of a newer systemd that is not here becomes `unknown`. */
const STATUS_OF: ReadonlyMap<string, StatusWord> = new Map([
  ['active', 'active'],
  ['inactive', 'inactive'],
  ['failed', 'failed'],
  ['activating', 'activating'],
  ['deactivating', 'deactivating'],
  ['reloading', 'reloading'],
  // Since systemd 257: re-reading extensions while it runs on, so nothing else than a reload for a viewer.
  ['refreshing', 'reloading'],
  // Not running, its directories are being cleaned (`systemctl clean`).
  ['maintenance', 'inactive'],
]);

/** What systemd prints for a 64-bit counter that it does not have: the largest number, in older versions. */
const NOT_SET = 2 ** 64;

function count(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= NOT_SET ? undefined : value;
}

/**
 * A timestamp as `systemctl show` prints it, in ISO 8601 UTC: `@1700000000` with `--timestamp=unix`, otherwise
 * `Tue 2023-11-14 22:13:20 UTC`. Other zones have ambiguous names, so they give nothing, like `n/a`, empty and zero.
 */
export function parseTimestamp(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const unix = /^@(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text);
  if (unix) {
    const ms = Number(unix[1]) * 1000 + Number((unix[2] ?? '').slice(0, 3).padEnd(3, '0'));
    return ms === 0 ? undefined : new Date(ms).toISOString();
  }
  const plain = /^(?:[A-Z][a-z]{2} )?(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d{1,6})? UTC$/.exec(text);
  if (!plain) return undefined;
  const time = new Date(`${plain[1]}T${plain[2]}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** The blocks of the output, one for each unit: `Key=value` lines, units separated by an empty line. */
function* blocks(output: string): Generator<Properties> {
  let block = new Map<string, string>();
  for (const line of output.split('\n')) {
    const at = line.indexOf('=');
    if (line === '') {
      if (block.size > 0) yield block;
      block = new Map();
    } else if (at > 0) {
      block.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  if (block.size > 0) yield block;
}

function statusWord(properties: Properties): StatusWord {
  const word = STATUS_OF.get(properties.get('ActiveState') ?? '') ?? 'unknown';
  const resting = word === 'inactive' || word === 'failed';
  // A unit whose file was deleted while it runs is `not-found` too, but still running: what runs counts.
  return properties.get('LoadState') === 'not-found' && resting ? 'not_installed' : word;
}

/**
 * The sub-state, where a unit rests because it cannot be started: the reason instead. A masked unit is there and shut
 * off by the operator, so it is `inactive` and not `not_installed`; `masked` (or `bad-setting`, `error`) tells it from
 * a unit that was merely stopped.
 */
function subState(properties: Properties, status: StatusWord): string | undefined {
  const load = properties.get('LoadState');
  if (status === 'inactive' && load !== undefined && load !== 'loaded') return load;
  return properties.get('SubState') || undefined;
}

/** When the unit entered its state. StateChangeTimestamp also moves on a reload, which is no change for a viewer. */
function since(properties: Properties, status: StatusWord): string | undefined {
  const name =
    status === 'active' || status === 'reloading'
      ? 'ActiveEnterTimestamp'
      : status === 'inactive' || status === 'failed'
        ? 'InactiveEnterTimestamp'
        : 'StateChangeTimestamp';
  return parseTimestamp(properties.get(name)) ?? parseTimestamp(properties.get('StateChangeTimestamp'));
}

/** The main process's exit status; CLD_EXITED is 1 (sigaction(2)). After a signal there is none: `result` says it. */
function exitCode(properties: Properties): number | undefined {
  const code = properties.get('ExecMainCode');
  return code === '1' || code === 'exited' ? count(properties.get('ExecMainStatus')) : undefined;
}

function describe(service: string, properties: Properties): UnitStatus {
  const status = statusWord(properties);
  if (status === 'not_installed') return { service, status };
  const found = {
    subState: subState(properties, status),
    description: properties.get('Description') || undefined,
    since: since(properties, status),
    pid: count(properties.get('MainPID')) || undefined,
    restarts: count(properties.get('NRestarts')),
    memoryBytes: count(properties.get('MemoryCurrent')),
    cpuNsec: count(properties.get('CPUUsageNSec')),
    result: properties.get('Result') || undefined,
    exitCode: exitCode(properties),
    client: clientName(properties.get('Description') ?? ''),
  };
  const known = Object.entries(found).filter(([, value]) => value !== undefined);
  return { service, status, ...Object.fromEntries(known) };
}

/**
 * Reads the output of `systemctl show` for several units. Neither the order of properties nor that of units is that of
 * the request, and a unit answers under its main name when it was asked by an alias; so each unit is found by its names.
 *
 * @param services unit names as `normalizeUnit` gives them
 * @returns one status for each of `services`, in that order; `unknown` for a unit the output says nothing about
 */
export function parseUnits(output: string, services: readonly string[]): UnitStatus[] {
  const byName = new Map<string, Properties>();
  for (const block of blocks(output)) {
    const names = [block.get('Id') ?? '', ...(block.get('Names') ?? '').split(' ')];
    for (const name of names) if (name !== '') byName.set(name, block);
  }
  return services.map((service) => {
    const properties = byName.get(unitFileName(service));
    return properties ? describe(service, properties) : { service, status: 'unknown' };
  });
}
