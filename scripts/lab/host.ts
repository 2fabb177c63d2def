import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashPasswords } from './accounts.ts';
import { cgroupProcesses, killCgroups, makeCgroups, removeCgroups } from './cgroup.ts';
import { type Container, createContainer, enterArgs, nspawnLeftOvers } from './container.ts';
import { BACKGROUND_FLAG, writeImage } from './image.ts';
import { type JournalRecord, messageOf, readJournal } from './journal.ts';
import { makeKeyPair } from './keys.ts';
import { addHostNetwork, cut, type HostNetwork, limitRate, removeHostNetwork, restore } from './network.ts';
import { signal } from './process.ts';
import { ask, type Production } from './producer.ts';
import { type RunOptions, type RunResult, run } from './run.ts';
import { type HostRecord, type LabRecord, labStorage } from './state.ts';
import { waitFor } from './wait.ts';

export interface HostOptions {
  /** Units print lines at a human pace. */
  background: boolean;
  /** Told what the host will use before it uses it, and again when that changes. */
  onRecord: (record: HostRecord) => Promise<void>;
}

/** A real host: systemd, journald and sshd in namespaces of this machine. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly network: HostNetwork;
  /** `SHA256:...` of its only (ed25519) host key, as it is now. */
  readonly hostKeyFingerprint: string;

  /** Runs a program as root inside the host. @throws Error on a non-zero exit, unless `allowFailure` */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Prints lines through the process of a unit (execution, consensus, validator); done when journald was given them.
   * journald's rules apply: surrounding white space goes, empty lines too, `<3>` in front sets the priority (sd-daemon(3)).
   */
  log(unit: string, lines: readonly (string | Buffer)[]): Promise<void>;
  /** Sends one entry with fields of one's own (repeated names allowed) through the process of a unit. */
  logFields(unit: string, fields: readonly (readonly [string, string | Buffer])[]): Promise<void>;
  /** Prints `seq=N` lines at a rate, and resolves after the last one. Lines go on if nobody waits. */
  produce(unit: string, production: Production): Promise<void>;
  /** Switches the units' own lines at a human pace. */
  setBackground(on: boolean): Promise<void>;

  /** The truth: `journalctl -u UNIT -o json --all`, everything flushed before. It holds systemd's lines about the unit too. */
  journal(unit: string, args?: readonly string[]): Promise<JournalRecord[]>;
  /** The messages the unit's own processes printed, oldest first. */
  printed(unit: string, args?: readonly string[]): Promise<string[]>;
  /** Starts a new journal file. */
  rotate(): Promise<void>;
  /** Removes all entries written so far (rotates first). */
  vacuum(): Promise<void>;

  start(unit: string): Promise<void>;
  stop(unit: string): Promise<void>;
  restart(unit: string): Promise<void>;
  mask(unit: string): Promise<void>;
  unmask(unit: string): Promise<void>;
  /** Ends a unit's process with an exit code of its own. */
  exitUnit(unit: string, code: number): Promise<void>;
  /** `systemctl is-active`: active, inactive, failed, ... */
  isActive(unit: string): Promise<string>;

  /** Command lines of the host's processes that match. */
  processes(pattern: RegExp): { pid: number; command: string }[];
  countProcesses(pattern: RegExp): number;
  /** Signals (default KILL) the sshd of every open connection; the listener stays. @returns how many processes */
  killSshd(name?: NodeJS.Signals): number;

  /** Every packet to and from the host is lost from now on; connections see no error. */
  cutNetwork(): Promise<void>;
  restoreNetwork(): Promise<void>;
  /** Limits what the host sends, in kbit/s; `null` lifts it. */
  limitRate(kbit: number | null): Promise<void>;

  /** Restarts the host: properly, or as by a power cut. Its journal stays, its boot id changes. */
  reboot(options?: { powerCut?: boolean }): Promise<void>;
  /** Gives sshd another host key. @returns its fingerprint */
  changeHostKey(): Promise<string>;
}

/** Sets a host up and boots it. @throws Error with the console's last lines where it does not come up */
export async function bootHost(
  lab: LabRecord,
  network: HostNetwork,
  name: string,
  options: HostOptions,
): Promise<LabHost> {
  const folder = join(labStorage(lab.slot), name);
  const root = join(folder, 'root');
  for (const part of ['upper', 'work', 'root']) await mkdir(join(folder, part), { recursive: true });
  const overlay = `lowerdir=${lab.rootfs},upperdir=${folder}/upper,workdir=${folder}/work`;
  const machine = network.namespace;
  const record: HostRecord = { name, network, cgroups: [], hostKeyFingerprint: '' };
  const [hashes, keyPair] = await Promise.all([
    hashPasswords(lab.passwords),
    makeKeyPair(join(folder, 'hostkey'), name),
  ]);
  record.hostKeyFingerprint = keyPair.fingerprint;
  record.cgroups = await makeCgroups(machine);
  await options.onRecord(record);
  await run('mount', ['-t', 'overlay', 'overlay', '-o', overlay, root]);
  await writeImage(root, {
    hostname: name,
    machineId: randomBytes(16).toString('hex'),
    hostKey: keyPair,
    authorizedKey: readFileSync(`${lab.privateKeyPath}.pub`, 'utf8'),
    passwordHashes: hashes,
    background: options.background,
  });
  await addHostNetwork(network);
  const container = createContainer({
    machine,
    root,
    namespace: network.namespace,
    address: network.address,
    cgroups: record.cgroups,
    console: join(folder, 'console.log'),
  });
  await container.boot();
  return createHost({ record, container, folder, onRecord: options.onRecord });
}

/** Ends a host by its record alone, in this or a later process. */
export async function destroyHost(record: HostRecord, root: string): Promise<void> {
  await killCgroups(record.cgroups);
  await removeCgroups(record.cgroups);
  await removeHostNetwork(record.network);
  await run('umount', ['--lazy', root], { allowFailure: true });
  for (const path of nspawnLeftOvers(record.network.namespace))
    await rm(path, { recursive: true, force: true });
}

interface HostDeps {
  record: HostRecord;
  container: Container;
  folder: string;
  onRecord: HostOptions['onRecord'];
}

/** Lines of one request to a producer together, and what a production is given beyond its own time. */
const ANSWER_TIMEOUT_MS = 30_000;

function createHost({ record, container, folder, onRecord }: HostDeps): LabHost {
  const { network } = record;
  const inside = () => `/proc/${container.leader()}/root`;

  const exec: LabHost['exec'] = (argv, options = {}) =>
    run('nsenter', [...enterArgs(container.leader()), ...argv], {
      ...options,
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LANG: 'C.UTF-8',
        HOME: '/root',
        ...options.env,
      },
    });

  const systemctl = async (...args: string[]): Promise<void> => {
    await exec(['systemctl', ...args]);
  };

  function processes(pattern: RegExp): { pid: number; command: string }[] {
    const [group = ''] = record.cgroups;
    return cgroupProcesses(group).flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const isHosts = /^NSpid:\s+\d+\s+\d/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        return isHosts && pattern.test(command) ? [{ pid, command }] : [];
      } catch {
        return [];
      }
    });
  }

  const journal: LabHost['journal'] = (unit, args = []) =>
    readJournal(container.leader(), ['-u', unit, ...args]);

  return {
    name: record.name,
    address: network.address,
    port: 22,
    network,
    get hostKeyFingerprint() {
      return record.hostKeyFingerprint;
    },
    exec,

    async log(unit, lines) {
      const payload = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]));
      await ask(inside(), unit, `print ${payload.length}`, payload, ANSWER_TIMEOUT_MS);
    },
    async logFields(unit, fields) {
      const payload = Buffer.concat(fields.map(([name, value]) => nativeField(name, Buffer.from(value))));
      await ask(inside(), unit, `native ${payload.length}`, payload, ANSWER_TIMEOUT_MS);
    },
    async produce(unit, { rate, count, start = 1, prefix = '', size = 0 }) {
      const payload = Buffer.from(prefix);
      const request = `produce ${rate} ${count} ${start} ${size} ${payload.length}`;
      await ask(inside(), unit, request, payload, (count / rate) * 1000 + ANSWER_TIMEOUT_MS);
    },
    async setBackground(on) {
      if (on) await writeFile(inside() + BACKGROUND_FLAG, '');
      else await rm(inside() + BACKGROUND_FLAG, { force: true });
    },

    journal,
    async printed(unit, args = []) {
      const name = unit.includes('.') ? unit : `${unit}.service`;
      const records = await journal(unit, args);
      return records.filter((entry) => entry._SYSTEMD_UNIT === name).map(messageOf);
    },
    async rotate() {
      await exec(['journalctl', '--rotate']);
    },
    async vacuum() {
      await exec(['journalctl', '--rotate']);
      await exec(['journalctl', '--vacuum-size=1']);
    },

    start: (unit) => systemctl('start', unit),
    stop: (unit) => systemctl('stop', unit),
    restart: (unit) => systemctl('restart', unit),
    mask: (unit) => systemctl('mask', '--runtime', unit),
    unmask: (unit) => systemctl('unmask', '--runtime', unit),
    async exitUnit(unit, code) {
      await ask(inside(), unit, `exit ${code}`, Buffer.alloc(0), ANSWER_TIMEOUT_MS);
    },
    async isActive(unit) {
      return (await exec(['systemctl', 'is-active', unit], { allowFailure: true })).stdout.trim();
    },

    processes,
    countProcesses: (pattern) => processes(pattern).length,
    killSshd(name = 'SIGKILL') {
      const found = processes(/^sshd: (?!\S*\/sshd .*\[listener\])/);
      for (const { pid } of found) signal(pid, name);
      return found.length;
    },

    cutNetwork: () => cut(network),
    restoreNetwork: () => restore(network),
    limitRate: (kbit) => limitRate(network, kbit),

    async reboot({ powerCut = false } = {}) {
      if (powerCut) await container.kill();
      else {
        await systemctl('start', '--no-block', '--job-mode=replace-irreversibly', 'reboot.target');
        await container.ended(30_000);
      }
      await container.boot();
    },
    async changeHostKey() {
      const keyPair = await makeKeyPair(
        join(folder, `hostkey-${randomBytes(4).toString('hex')}`),
        record.name,
      );
      const path = join(inside(), 'etc/ssh/ssh_host_ed25519_key');
      await writeFile(path, keyPair.private, { mode: 0o600 });
      await writeFile(`${path}.pub`, keyPair.public);
      await systemctl('restart', 'ssh');
      await waitFor('sshd to listen again', async () => {
        const { stdout } = await exec(['ss', '-Hltn', 'sport = :22']);
        return stdout.trim() !== '';
      });
      record.hostKeyFingerprint = keyPair.fingerprint;
      await onRecord(record);
      return keyPair.fingerprint;
    },
  };
}

/** One field of the Native Journal Protocol: with its length in front, so that it may hold anything. */
function nativeField(name: string, value: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')]);
}
