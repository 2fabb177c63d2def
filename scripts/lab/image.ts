import { readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sudoers } from './accounts.ts';

/** Where the units' control sockets are, seen from inside a host. */
export function controlSocket(unit: string): string {
  return `/run/tailwire-${unit}/control`;
}

/** Its presence on a host makes the units print lines of their clients at a human pace. */
export const BACKGROUND_FLAG = '/var/lib/tailwire/background';

interface LabUnit {
  name: string;
  /** Its first word is the client's name, as EthPillar writes its unit files. */
  description: string;
  /** The path of the process, which gives the lines their syslog identifier. */
  program: string;
}

/** The units that run and print. `mevboost` is missing on purpose; `charon` fails (see below). */
export const UNITS: readonly LabUnit[] = [
  {
    name: 'execution',
    description: 'Geth Execution Layer Client service for Mainnet',
    program: '/usr/local/bin/geth',
  },
  {
    name: 'consensus',
    description: 'Lighthouse Consensus Layer Client service for Mainnet',
    program: '/usr/local/bin/lighthouse',
  },
  {
    name: 'validator',
    description: 'Lighthouse Validator Client service for Mainnet',
    program: '/usr/local/bin/lighthouse',
  },
];

/** Not /etc: a unit file there cannot be masked (systemd.unit(5), unit file load path). */
const UNIT_FOLDER = 'usr/local/lib/systemd/system';

/** Nothing a lab host needs; without them it boots in under a second. */
const MASKED = [
  'systemd-networkd.service',
  'systemd-resolved.service',
  'systemd-timesyncd.service',
  'systemd-logind.service',
  'systemd-pstore.service',
  'systemd-binfmt.service',
  'systemd-firstboot.service',
  'systemd-repart.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'proc-sys-fs-binfmt_misc.automount',
  'console-getty.service',
  'getty.target',
  'remote-fs.target',
  'kmod-static-nodes.service',
  'systemd-modules-load.service',
  'dev-hugepages.mount',
  'sys-fs-fuse-connections.mount',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-tmpfiles-clean.timer',
];

interface ImageFile {
  path: string;
  content: string;
  mode?: number;
}

export interface HostIdentity {
  hostname: string;
  machineId: string;
  /** The host's ed25519 key pair, as ssh-keygen writes it. */
  hostKey: { private: string; public: string };
  /** Public key that may log in to every account. */
  authorizedKey: string;
  /** Hashes for shadow(5) by account name. */
  passwordHashes: Record<string, string>;
  background: boolean;
}

/** Writes over a host's root everything that makes it this host of this lab. */
export async function writeImage(root: string, identity: HostIdentity): Promise<void> {
  for (const file of files(identity)) {
    const path = join(root, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content);
    await chmod(path, file.mode ?? 0o644);
  }
  const units = join(root, UNIT_FOLDER);
  for (const name of MASKED) await link('/dev/null', join(units, name));
  for (const { name, program } of UNITS) {
    await link('/usr/local/lib/tailwire/producer', join(root, program));
    await link(`../${name}.service`, join(units, 'multi-user.target.wants', `${name}.service`));
  }
  await link('../charon.service', join(units, 'multi-user.target.wants/charon.service'));
  await link('/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  await setPasswords(join(root, 'etc/shadow'), identity.passwordHashes);
}

function files(identity: HostIdentity): ImageFile[] {
  const producer = readFileSync(fileURLToPath(new URL('./image/producer.pl', import.meta.url)), 'utf8');
  return [
    { path: 'etc/hostname', content: `${identity.hostname}\n` },
    { path: 'etc/hosts', content: `127.0.0.1 localhost ${identity.hostname}\n` },
    { path: 'etc/machine-id', content: `${identity.machineId}\n`, mode: 0o444 },
    { path: 'etc/ssh/ssh_host_ed25519_key', content: identity.hostKey.private, mode: 0o600 },
    { path: 'etc/ssh/ssh_host_ed25519_key.pub', content: identity.hostKey.public },
    { path: 'etc/ssh/authorized_keys', content: identity.authorizedKey },
    { path: 'etc/ssh/sshd_config.d/lab.conf', content: SSHD_CONFIG },
    { path: 'etc/sudoers.d/lab', content: sudoers(), mode: 0o440 },
    { path: 'etc/systemd/journald.conf.d/lab.conf', content: JOURNALD_CONFIG },
    { path: 'usr/local/lib/tailwire/producer', content: producer, mode: 0o755 },
    { path: 'usr/local/bin/charon', content: CHARON, mode: 0o755 },
    { path: `${UNIT_FOLDER}/charon.service`, content: charonUnit() },
    ...UNITS.map((unit) => ({
      path: `${UNIT_FOLDER}/${unit.name}.service`,
      content: producerUnit(unit),
    })),
    { path: 'var/lib/tailwire/README', content: 'Flags of the lab.\n' },
    ...(identity.background ? [{ path: BACKGROUND_FLAG.slice(1), content: '' }] : []),
  ];
}

const SSHD_CONFIG = `# ed25519 only: one fingerprint to know, and no time spent on RSA keys.
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin no
Match User interactive
  PasswordAuthentication no
  KbdInteractiveAuthentication yes
`;

const JOURNALD_CONFIG = `[Journal]
Storage=persistent
RateLimitIntervalSec=0
RateLimitBurst=0
SystemMaxUse=2G
SystemKeepFree=64M
ForwardToSyslog=no
ForwardToWall=no
Audit=no
`;

const CHARON = `#!/bin/sh
echo 'ERRO Failed to load cluster lock: open cluster-lock.json: no such file or directory' >&2
exit 3
`;

function producerUnit(unit: LabUnit): string {
  return `[Unit]
Description=${unit.description}

[Service]
Type=simple
User=${unit.name}
Environment=TAILWIRE_UNIT=${unit.name}
RuntimeDirectory=tailwire-${unit.name}
ExecStart=${unit.program}
Restart=on-failure
RestartSec=1
TimeoutStopSec=5
MemoryAccounting=yes
CPUAccounting=yes

[Install]
WantedBy=multi-user.target
`;
}

/** Ends with an error each time it is started, and stays failed. */
function charonUnit(): string {
  return `[Unit]
Description=Charon Distributed Validator service

[Service]
Type=simple
User=charon
ExecStart=/usr/local/bin/charon
Restart=no

[Install]
WantedBy=multi-user.target
`;
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(target, path);
}

async function setPasswords(path: string, hashes: Record<string, string>): Promise<void> {
  const lines = (await readFile(path, 'utf8')).split('\n').map((line) => {
    const fields = line.split(':');
    const hash = hashes[fields[0] ?? ''];
    if (hash === undefined) return line;
    fields[1] = hash;
    return fields.join(':');
  });
  await writeFile(path, lines.join('\n'));
}
