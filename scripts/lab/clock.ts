import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabHost } from './host.ts';

/** libfaketime looks so often, in s, into the file that says how far its clock is ahead; that is its least. */
const LOOK_S = 1;
/** The clock of a process, which can be set while it runs: libfaketime (Debian: package `faketime`). */
export interface FakeClock {
  /** For the environment of the process. The time since boot goes on as it is, as where a real clock is set. */
  readonly env: Record<string, string>;
  /** Sets it so many seconds ahead of the machine's, below 0 behind; the process sees it within 2 s. */
  set(seconds: number): Promise<void>;
}

function environment(library: string, file: string): Record<string, string> {
  return {
    // Memory comes from the C library then: jemalloc (of redis-server) asks for the time before there is one.
    LD_PRELOAD: `${library} libc.so.6`,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: String(LOOK_S),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
}

const offset = (seconds: number) => `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`;

/** @throws Error where libfaketime is not installed */
function findLibrary(): string {
  for (const folder of readdirSync('/usr/lib')) {
    const path = `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`;
    if (existsSync(path)) return path;
  }
  throw new Error('libfaketime is missing: apt-get install faketime');
}

/** A clock for processes that are started with its `env`. @param file keeps how far it is ahead */
export async function createClock(file: string): Promise<FakeClock> {
  const set = (seconds: number) => writeFile(file, offset(seconds));
  await set(0);
  return { env: environment(findLibrary(), file), set };
}

/** Removes what libfaketime keeps for a process that was killed. */
export async function clearClock(pid: number): Promise<void> {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
    await rm(join('/dev/shm', name), { force: true });
}

/** Where things stand inside of a host. */
const HOST_LIBRARY = '/usr/local/lib/libfaketimeMT.so.1';
const HOST_FILE = '/var/lib/tailwire/clock';
const TICKER = 'tailwire-ticker';
const TICKER_FILE = `/etc/systemd/system/${TICKER}.service`;
const TICKER_UNIT = `[Service]
ExecStart=sh -c 'while sleep 0.1; do echo tick; done'
[Install]
WantedBy=multi-user.target
`;
const DROP_IN = '/etc/systemd/system/systemd-journald.service.d/clock.conf';

/** The clock by which a host's journald stamps what it takes. */
export interface HostClock {
  set(seconds: number): Promise<void>;
  /** Gives journald the machine's clock back. */
  remove(): Promise<void>;
}

/**
 * Starts a host's journald anew under a clock of its own, also after reboots; units and their output go on. libfaketime
 * shifts journald's timers, too, which a real clock does not: the one that tells readers of new lines is only looked at
 * when journald has something else to do. So another unit prints all the time.
 */
export async function giveClock(host: LabHost): Promise<HostClock> {
  const write = (path: string, input: string | Buffer) =>
    host.exec(['sh', '-c', 'mkdir -p "$(dirname "$1")" && cat >"$1"', 'sh', path], { input });
  const restart = async () => {
    await host.exec(['systemctl', 'daemon-reload']);
    await host.exec(['systemctl', 'restart', 'systemd-journald']);
  };
  const set = async (seconds: number) => {
    await write(HOST_FILE, offset(seconds));
  };
  const lines = Object.entries(environment(HOST_LIBRARY, HOST_FILE)).map(
    ([name, value]) => `Environment="${name}=${value}"`,
  );
  await write(HOST_LIBRARY, readFileSync(findLibrary()));
  await set(0);
  await write(DROP_IN, `[Service]\n${lines.join('\n')}\n`);
  await restart();
  // Written where it lasts: after a reboot it goes on.
  await write(TICKER_FILE, TICKER_UNIT);
  await host.exec(['systemctl', 'daemon-reload']);
  await host.exec(['systemctl', 'enable', '--quiet', '--now', TICKER]);
  return {
    set,
    async remove() {
      await host.exec(['systemctl', 'disable', '--quiet', '--now', TICKER]);
      await host.exec(['rm', '-f', DROP_IN, TICKER_FILE]);
      await restart();
      await host.exec(['rm', '-f', HOST_LIBRARY, HOST_FILE]);
    },
  };
}
