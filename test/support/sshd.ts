import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

/** The user every test logs in as; exists only inside the sshd's own mount namespace. */
export const SSHD_USER = 'watcher';
export const SSHD_PASSWORD = 'correct horse';

export interface Sshd {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  /** An unencrypted Ed25519 key that may log in. */
  readonly privateKey: string;
  /** `SHA256:...` of its host key. */
  readonly fingerprint: string;
  /** A directory of its own, removed on stop. */
  readonly dir: string;
  /** Lets one more public key log in. */
  authorize(publicKey: string): void;
  /** What sshd has logged so far. */
  log(): string;
  /** Processes serving connections, monitor and session, newest last. */
  connectionPids(): number[];
  /** Command lines of everything below this sshd. */
  commands(): string[];
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** Further lines of sshd_config. */
  config?: readonly string[];
  shell?: string;
  /** Password prompts through PAM as keyboard-interactive instead of the method `password`. */
  keyboardInteractive?: boolean;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Process ids below `pid`, as the kernel has them. */
function descendants(pid: number): number[] {
  let children: number[];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(socket.bytesRead > 0));
  });
}

/**
 * A real sshd on a free port of loopback with keys of its own. It runs in a mount namespace of its own where passwd and
 * shadow have one more user, so that nothing on the machine is changed and a killed test leaves nothing behind.
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const dir = mkdtempSync(join(tmpdir(), 'tailwire-sshd-'));
  const path = (name: string) => join(dir, name);
  const keygen = (name: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path(name)]);
  keygen('host_key');
  keygen('user_key');
  const hash = execFileSync('openssl', ['passwd', '-6', '-stdin'], {
    input: SSHD_PASSWORD,
    encoding: 'utf8',
  }).trim();
  const shell = options.shell ?? '/bin/bash';
  mkdirSync(path('home'), { mode: 0o755 });
  writeFileSync(
    path('passwd'),
    `${readFileSync('/etc/passwd', 'utf8')}${SSHD_USER}:x:48123:65534::${path('home')}:${shell}\n`,
  );
  writeFileSync(
    path('shadow'),
    `${readFileSync('/etc/shadow', 'utf8')}${SSHD_USER}:${hash}:19000:0:99999:7:::\n`,
    {
      mode: 0o600,
    },
  );
  writeFileSync(
    path('pam'),
    'auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n',
  );
  const port = await freePort();
  const interactive = options.keyboardInteractive === true;
  writeFileSync(
    path('config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${path('host_key')}`,
      `AuthorizedKeysFile ${path('user_key.pub')}`,
      'PidFile none',
      'StrictModes no',
      `UsePAM ${interactive ? 'yes' : 'no'}`,
      `PasswordAuthentication ${interactive ? 'no' : 'yes'}`,
      `KbdInteractiveAuthentication ${interactive ? 'yes' : 'no'}`,
      'LogLevel VERBOSE',
      ...(options.config ?? []),
      '',
    ].join('\n'),
  );
  execFileSync('chmod', ['755', dir]);
  // The privilege separation directory is compiled into sshd; it lies on a tmpfs of the namespace.
  const script = [
    `mount --bind '${path('passwd')}' /etc/passwd`,
    `mount --bind '${path('shadow')}' /etc/shadow`,
    `mount --bind '${path('pam')}' /etc/pam.d/sshd`,
    'mount -t tmpfs -o mode=755 none /run',
    'mkdir -m 755 /run/sshd',
    `exec /usr/sbin/sshd -D -e -f '${path('config')}'`,
  ].join(' && ');
  let log = '';
  const child: ChildProcess = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = once(child, 'exit');
  const pid = child.pid ?? 0;

  async function stop(): Promise<void> {
    for (const each of [...descendants(pid), pid]) {
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    await exited;
    rmSync(dir, { recursive: true, force: true });
  }

  try {
    await until(() => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${log}`);
      return greets(port);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const fingerprint =
    execFileSync('ssh-keygen', ['-lf', path('host_key.pub')], { encoding: 'utf8' }).split(' ')[1] ?? '';
  return {
    host: '127.0.0.1',
    port,
    pid,
    privateKey: readFileSync(path('user_key'), 'utf8'),
    fingerprint,
    dir,
    authorize: (publicKey) => appendFileSync(path('user_key.pub'), publicKey),
    log: () => log,
    connectionPids: () => descendants(pid).filter((each) => commandLine(each).startsWith('sshd:')),
    commands: () => descendants(pid).map(commandLine),
    stop,
  };
}
