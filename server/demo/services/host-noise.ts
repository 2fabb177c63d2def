import type { Fields, Journal } from '../journal.ts';
import { between, pick, type Random } from '../random.ts';
import type { Schedule } from '../schedule.ts';
import { repeat } from './service.ts';

/** What else stands in a server's journal: login attempts, the firewall, cron. */
export function runHostNoise(deps: {
  journal: Journal;
  schedule: Schedule;
  random: Random;
  hostFields: Fields;
}): void {
  const { journal, schedule, random, hostFields } = deps;

  function say(message: string, fields: Fields): void {
    journal.append({ at: schedule.now(), message, origin: hostFields, extra: fields });
  }

  repeat(deps, 30_000, 200_000, () => {
    const pid = between(random, 4_000, 4_000_000);
    const sshd: Fields = {
      PRIORITY: '6',
      SYSLOG_FACILITY: '4',
      SYSLOG_IDENTIFIER: 'sshd',
      _TRANSPORT: 'syslog',
      _PID: String(pid),
      _UID: '0',
      _GID: '0',
      _COMM: 'sshd',
      _EXE: '/usr/sbin/sshd',
      _CMDLINE: 'sshd: [accepted]',
      _CAP_EFFECTIVE: '1ffffffffff',
      _SYSTEMD_CGROUP: '/system.slice/ssh.service',
      _SYSTEMD_UNIT: 'ssh.service',
      _SYSTEMD_SLICE: 'system.slice',
    };
    const from = `198.51.100.${between(random, 2, 250)} port ${between(random, 1_025, 65_000)}`;
    const user = pick(random, ['admin', 'test', 'ubuntu', 'oracle', 'postgres']);
    say(`Invalid user ${user} from ${from}`, sshd);
    schedule.after(1_400, () => say(`Connection closed by invalid user ${user} ${from} [preauth]`, sshd));
  });

  repeat(deps, 40_000, 150_000, () => {
    const source = `203.0.113.${between(random, 2, 250)}`;
    say(
      `[UFW BLOCK] IN=eth0 OUT= SRC=${source} DST=192.0.2.10 LEN=40 TTL=${between(random, 40, 250)} PROTO=TCP DPT=${between(random, 20, 9_000)} SYN`,
      { PRIORITY: '4', SYSLOG_FACILITY: '0', SYSLOG_IDENTIFIER: 'kernel', _TRANSPORT: 'kernel' },
    );
  });
}
