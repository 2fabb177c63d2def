import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCOUNTS } from './accounts.ts';
import { withLock } from './lock.ts';
import { aptMirror, aptProxyEnv } from './mirror.ts';
import { CACHE_DIR } from './paths.ts';
import { run } from './run.ts';

const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'iproute2'];

/** A download over a slow line is still bounded. */
const BUILD_TIMEOUT_MS = 15 * 60_000;

/** What is done once in the fresh tree; everything that changes from lab to lab is written over it (image.ts). */
function setupScript(): string {
  const lines = ['set -eu', 'rm -f /etc/ssh/ssh_host_* /etc/machine-id', 'mkdir -p /var/log/journal'];
  for (const account of ACCOUNTS) {
    const groups = account.groups.length > 0 ? `--groups ${account.groups.join(',')}` : '';
    const kind = account.login ? '--create-home --shell /bin/bash' : '--system --shell /usr/sbin/nologin';
    lines.push(`useradd --user-group ${kind} ${groups} ${account.name}`);
  }
  lines.push('rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*');
  return lines.join('\n');
}

/**
 * Makes sure that the hosts' common root tree is there, building it where it is missing (about a minute, once).
 *
 * @returns its path in the cache, named by a hash of everything that went into it; it is never written to again
 */
export async function ensureRootfs(log: (line: string) => void): Promise<string> {
  const { suite, uri } = await aptMirror();
  const script = setupScript();
  const hash = createHash('sha256')
    .update(JSON.stringify([suite, process.arch, PACKAGES, script]))
    .digest('hex');
  const path = join(CACHE_DIR, `root-${hash.slice(0, 16)}`);
  if (existsSync(path)) return path;
  return withLock('rootfs', async () => {
    if (existsSync(path)) return path;
    await mkdir(CACHE_DIR, { recursive: true });
    const building = `${path}.building`;
    await rm(building, { recursive: true, force: true });
    log(`Building the hosts' root tree (${suite}; about a minute, kept in ${CACHE_DIR})`);
    const started = Date.now();
    const env = { ...inheritedEnv(), ...(await aptProxyEnv()) };
    try {
      await run(
        'debootstrap',
        ['--variant=minbase', `--include=${PACKAGES.join(',')}`, suite, building, uri],
        {
          timeoutMs: BUILD_TIMEOUT_MS,
          env,
        },
      );
      await run('chroot', [building, 'sh', '-c', script], { env });
      await writeFile(join(building, 'etc/resolv.conf'), '');
      await rename(building, path);
    } catch (error) {
      await rm(building, { recursive: true, force: true });
      throw error;
    }
    log(`Root tree built in ${Math.round((Date.now() - started) / 1000)} s`);
    return path;
  });
}

function inheritedEnv(): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    HOME: '/root',
  };
}
