import type { LabHost } from '../lab/host.ts';
import { UNITS } from '../lab/image.ts';

/** The units that a lab's hosts have, and names of such as live for one production only. */
export const ALL_UNITS: readonly string[] = [
  ...UNITS.map(({ name }) => name),
  ...Array.from({ length: 9 }, (_, n) => `chaos-unit-${n + 1}`),
];

export interface ProductionOptions {
  host: LabHost;
  unit: string;
  /** Lines a second. */
  rate: number;
  prefix: string;
  /** Bytes of a line; as long as it happens to be unless told. */
  lineBytes?: number;
}

/** Lines that go on at a rate until they are stopped: `PREFIXseq=N`. */
export interface Production {
  start(): void;
  /** Ends it; resolves when the host has printed what was begun. */
  stop(): Promise<void>;
}

/** A unit is asked for so many ms of lines at a time, so that they can end soon. */
const STEP_MS = 500;

/** Prepares the lines of a unit. The journal has a line of it afterwards: viewers can begin. */
export async function createProduction(options: ProductionOptions): Promise<Production> {
  const { host, unit, prefix } = options;
  if (!UNITS.some(({ name }) => name === unit)) return createTransient(options);
  await host.log(unit, [`${prefix}begins`]);
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let count = 0;
  async function run(): Promise<void> {
    const step = Math.max(1, Math.round((options.rate * STEP_MS) / 1000));
    while (!stopped) {
      const size = options.lineBytes === undefined ? {} : { size: options.lineBytes };
      await host.produce(unit, { rate: options.rate, count: step, start: count + 1, prefix, ...size });
      count += step;
    }
  }
  return {
    start() {
      running = run();
      // Reported by `stop`.
      running.catch(() => {});
    },
    stop() {
      stopped = true;
      return running;
    },
  };
}

/** A unit that lives for this production only (systemd-run(1)) and prints from a shell: some lines a second at most. */
async function createTransient({ host, unit, rate, prefix }: ProductionOptions): Promise<Production> {
  const go = `/run/${unit}.go`;
  const script = `echo "$1begins"; n=0; while sleep "$2"; do if [ -e "$3" ]; then n=$((n+1)); echo "$1seq=$n"; fi; done`;
  const words = ['sh', '-c', script, 'sh', prefix, String(1 / rate), go];
  await host.exec(['systemd-run', '--quiet', '--collect', `--unit=${unit}`, '--', ...words]);
  let stopping: Promise<void> | undefined;
  return {
    start() {
      // Reported as missing lines where it fails.
      host.exec(['touch', go]).catch(() => {});
    },
    stop() {
      stopping ??= host
        .exec(['systemctl', 'stop', unit])
        .then(() => host.exec(['rm', '-f', go]))
        .then(() => {});
      return stopping;
    },
  };
}
