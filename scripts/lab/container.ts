import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cgroupProcesses, hasUnifiedCgroup, killCgroups, removeCgroups } from './cgroup.ts';
import { run, tail } from './run.ts';
import { waitFor } from './wait.ts';

export interface ContainerOptions {
  /** Unique on the machine. */
  machine: string;
  /** The root folder. */
  root: string;
  /** Network namespace it lives in. */
  namespace: string;
  address: string;
  cgroups: string[];
  /** File that gets what the host prints on its console. */
  console: string;
}

/** A minute on a busy machine; an idle one needs about a second. */
const BOOT_TIMEOUT_MS = 60_000;

/** One systemd-nspawn with a booted systemd in it. It outlives this process. */
export interface Container {
  /** Process number of the host's systemd, as the machine sees it. @throws Error where the host is not up */
  leader(): number;
  /** Boots, and waits until sshd greets and multi-user.target is reached. @throws Error with the console's last lines */
  boot(): Promise<void>;
  /** Waits until the host has shut itself down. */
  ended(timeoutMs: number): Promise<void>;
  /** Ends every process of the host at once, like a power cut. */
  kill(): Promise<void>;
}

export function createContainer(options: ContainerOptions): Container {
  const { machine, root, namespace, address, cgroups } = options;
  const [group = ''] = cgroups;
  let leaderPid: number | undefined;

  function findLeader(): number | undefined {
    if (leaderPid !== undefined && isInit(leaderPid)) return leaderPid;
    leaderPid = cgroupProcesses(group).find(isInit);
    return leaderPid;
  }

  function lastLines(): string {
    const text = existsSync(options.console) ? readFileSync(options.console, 'utf8') : '';
    return `The console of ${machine} ends with:\n${tail(stripControls(text))}`;
  }

  async function boot(): Promise<void> {
    leaderPid = undefined;
    const output = openSync(options.console, 'a', 0o600);
    const join = cgroups.map((folder) => `echo $$ > '${folder}/cgroup.procs'`).join(' && ');
    const nspawn = [
      'systemd-nspawn',
      '--quiet',
      '--boot',
      '--register=no',
      '--keep-unit',
      '--link-journal=no',
      '--resolv-conf=off',
      '--timezone=off',
      '--capability=CAP_NET_ADMIN',
      `--machine=${machine}`,
      `--directory=${root}`,
      `--network-namespace-path=/run/netns/${namespace}`,
    ];
    const child = spawn('sh', ['-c', `${join} && exec "$@"`, 'sh', ...nspawn], {
      detached: true,
      stdio: ['ignore', output, output],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        // Like the servers of today, also where this machine still has the old hierarchies beside the new one.
        ...(hasUnifiedCgroup() ? { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' } : {}),
      },
    });
    closeSync(output);
    let ended: string | undefined;
    child.on('error', (error) => {
      ended = error.message;
    });
    child.on('exit', (code, by) => {
      ended = `systemd-nspawn ended with ${by ?? code}`;
    });
    child.unref();
    const deadline = Date.now() + BOOT_TIMEOUT_MS;
    const step = <T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>) =>
      waitFor(
        `${machine}: ${what}`,
        () => {
          if (ended !== undefined) throw new Error(`${machine} did not boot: ${ended}\n${lastLines()}`);
          return probe();
        },
        { timeoutMs: Math.max(1, deadline - Date.now()), describe: lastLines },
      );
    const leader = await step('its systemd to start', findLeader);
    await step('sshd to greet', () => greets(address));
    await step('multi-user.target', async () => {
      const { stdout } = await run(
        'nsenter',
        [...enterArgs(leader), 'systemctl', 'is-active', 'multi-user.target'],
        {
          allowFailure: true,
        },
      );
      return stdout.trim() === 'active';
    });
  }

  return {
    leader() {
      const pid = findLeader();
      if (pid === undefined) throw new Error(`${machine} is not up`);
      return pid;
    },
    boot,
    async ended(timeoutMs) {
      await waitFor(`${machine} to shut down`, () => cgroupProcesses(group).length === 0, {
        timeoutMs,
        describe: lastLines,
      });
      await removeCgroups(cgroups, true);
    },
    async kill() {
      await killCgroups(cgroups);
      await removeCgroups(cgroups, true);
    },
  };
}

/** Arguments for nsenter(1) that put a command into a host, as its root. */
export function enterArgs(leader: number): string[] {
  return ['-t', String(leader), '-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w', '--'];
}

/** Whether a process is the first of a process namespace below this one: field NSpid of proc_pid_status(5). */
function isInit(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (/^State:\s+[ZX]/m.test(status)) return false;
    const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    return numbers.length > 1 && numbers.at(-1) === '1';
  } catch {
    return false;
  }
}

/** Whether an SSH server answers with its banner (RFC 4253, section 4.2). */
function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 1000 });
    const done = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('data', (data) => done(data.toString('latin1').startsWith('SSH-2.0-')));
    socket.once('error', () => done(false));
    socket.once('timeout', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** Removes colours and other escape sequences of a console. */
function stripControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f]/g, '');
}

/** What systemd-nspawn leaves under /run for machines that were killed. */
export function nspawnLeftOvers(machine: string): string[] {
  const parent = '/run/systemd/nspawn';
  return ['propagate', 'unix-export'].flatMap((folder) => {
    const at = `${parent}/${folder}`;
    return existsSync(at) && readdirSync(at).includes(machine) ? [`${at}/${machine}`] : [];
  });
}
