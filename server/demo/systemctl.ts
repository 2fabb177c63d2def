import { type OptionRule, parseOptions } from './getopt.ts';
import type { CommandIo } from './io.ts';
import type { SimulatedUnit } from './unit.ts';
import { mangleUnit } from './unit-names.ts';

const RULES: readonly OptionRule[] = [
  { short: 'p', long: 'property', value: 'required' },
  { short: 'P', long: 'value-of', value: 'required' },
  { long: 'timestamp', value: 'required' },
  { long: 'value', value: 'none' },
  { long: 'no-pager', value: 'none' },
  { long: 'no-legend', value: 'none' },
  { long: 'plain', value: 'none' },
  { long: 'system', value: 'none' },
  { short: 'a', long: 'all', value: 'none' },
  { short: 'l', long: 'full', value: 'none' },
  { short: 'q', long: 'quiet', value: 'none' },
  { long: 'version', value: 'none' },
];

const STYLES = ['pretty', 'unix', 'us', 'us+utc', 'utc', 'µs', 'µs+utc'];

/** What `systemctl show` says of a unit that does not exist: exit code 0 and LoadState=not-found [systemd 252]. */
function missing(name: string): Record<string, string | number> {
  return {
    MainPID: 0,
    Result: 'success',
    NRestarts: 0,
    ExecMainStartTimestamp: 0,
    ExecMainPID: 0,
    ExecMainCode: 0,
    ExecMainStatus: 0,
    MemoryCurrent: '[not set]',
    CPUUsageNSec: '[not set]',
    Id: name,
    Names: name,
    Description: name,
    LoadState: 'not-found',
    ActiveState: 'inactive',
    SubState: 'dead',
    StateChangeTimestamp: 0,
    ActiveEnterTimestamp: 0,
    ActiveExitTimestamp: 0,
    InactiveEnterTimestamp: 0,
    InactiveExitTimestamp: 0,
    InvocationID: '',
  };
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Never is printed as nothing, whatever the style. */
function timestamp(us: number, style: string): string {
  if (us === 0) return '';
  if (style === 'unix') return `@${Math.floor(us / 1e6)}`;
  const date = new Date(Math.floor(us / 1000));
  const iso = date.toISOString();
  const fraction = /^(us|µs)/.test(style) ? `.${String(us % 1e6).padStart(6, '0')}` : '';
  return `${DAYS[date.getUTCDay()]} ${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction} UTC`;
}

/** `systemctl show` and `systemctl is-active` of systemd 252 over simulated units. @returns the exit code */
export async function systemctl(
  argv: readonly string[],
  units: ReadonlyMap<string, SimulatedUnit>,
  io: CommandIo,
): Promise<number> {
  const parsed = parseOptions(RULES, argv);
  if (typeof parsed === 'string') {
    io.err(`systemctl: ${parsed}\n`);
    return 1;
  }
  const wanted: string[] = [];
  let style = 'pretty';
  let bare = false;
  let quiet = false;
  for (const [name, value] of parsed.options) {
    if (name === 'version') {
      await io.out('systemd 252 (252.39-1~deb12u2)\n');
      return 0;
    }
    if (name === 'property' || name === 'value-of') wanted.push(...value.split(','));
    if (name === 'value' || name === 'value-of') bare = true;
    if (name === 'quiet') quiet = true;
    if (name === 'timestamp') {
      if (!STYLES.includes(value)) {
        io.err(`Invalid value: ${value}.\n`);
        return 1;
      }
      style = value;
    }
  }
  const [verb = 'list-units', ...names] = parsed.operands;
  const mangled = names.map(mangleUnit);

  if (verb === 'is-active') {
    const states = mangled.map((name) => String(units.get(name)?.properties().ActiveState ?? 'inactive'));
    if (!quiet) await io.out(states.map((state) => `${state}\n`).join(''));
    // 3: "program is not running" of the LSB, which systemctl(1) follows.
    return states.includes('active') ? 0 : 3;
  }
  if (verb !== 'show') {
    io.err(`Unknown command verb ${verb}.\n`);
    return 1;
  }
  const blocks = mangled.map((name) => {
    const properties = Object.entries(units.get(name)?.properties() ?? missing(name));
    const shown = wanted.length === 0 ? properties : properties.filter(([key]) => wanted.includes(key));
    return shown
      .map(([key, value]) => {
        const text = key.endsWith('Timestamp') ? timestamp(Number(value), style) : String(value);
        return bare ? `${text}\n` : `${key}=${text}\n`;
      })
      .join('');
  });
  await io.out(blocks.join('\n'));
  return 0;
}
