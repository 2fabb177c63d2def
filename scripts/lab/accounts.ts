import { randomBytes } from 'node:crypto';
import { run } from './run.ts';

interface Account {
  name: string;
  /** Can log in over SSH (with a password and the lab's key); otherwise it only owns a unit's process. */
  login: boolean;
  groups: readonly string[];
  /** Line of sudoers, where the account may use sudo. */
  sudo?: string;
}

/** The accounts of each host, one for each way a login may reach the journal [LOG-7]. */
export const ACCOUNTS = [
  /** Reads the journal through its group. */
  { name: 'ethnode', login: true, groups: ['systemd-journal'] },
  /** Reads nothing and may not use sudo. */
  { name: 'nojournal', login: true, groups: [] },
  /** Reads the journal through sudo, without a password. */
  { name: 'sudoer', login: true, groups: [], sudo: 'ALL=(ALL) NOPASSWD: /usr/bin/journalctl' },
  /** May use sudo, but sudo asks for a password: nothing may wait for that prompt. */
  { name: 'asksudo', login: true, groups: [], sudo: 'ALL=(ALL) ALL' },
  /** Logs in by keyboard-interactive only (image.ts), and reads the journal. */
  { name: 'interactive', login: true, groups: ['systemd-journal'] },
  { name: 'execution', login: false, groups: [] },
  { name: 'consensus', login: false, groups: [] },
  { name: 'validator', login: false, groups: [] },
  { name: 'charon', login: false, groups: [] },
] as const satisfies readonly Account[];

export type UserName = Extract<(typeof ACCOUNTS)[number], { login: true }>['name'];

/** Passwords by user name, made anew for each lab. */
export type Passwords = Record<UserName, string>;

const loginNames = ACCOUNTS.filter((account) => account.login).map((account) => account.name) as UserName[];

export function makePasswords(): Passwords {
  return Object.fromEntries(
    loginNames.map((name) => [name, randomBytes(12).toString('base64url')]),
  ) as Passwords;
}

/** The sudoers lines of the accounts that have one. */
export function sudoers(): string {
  const accounts: readonly Account[] = ACCOUNTS;
  return accounts.flatMap((account) => (account.sudo ? [`${account.name} ${account.sudo}\n`] : [])).join('');
}

/** @returns the passwords' hashes for shadow(5), by user name; crypt(3) through perl, which every Debian has. */
export async function hashPasswords(passwords: Passwords): Promise<Record<string, string>> {
  const names = Object.keys(passwords) as UserName[];
  const program =
    'while (<STDIN>) { chomp; my ($salt, $word) = split / /, $_, 2; print crypt($word, "\\$6\\$rounds=1000\\$$salt"), "\\n" }';
  const input = names.map((name) => `${randomBytes(8).toString('hex')} ${passwords[name]}\n`).join('');
  const { stdout } = await run('perl', ['-e', program], { input });
  const hashes = stdout.trim().split('\n');
  return Object.fromEntries(names.map((name, index) => [name, hashes[index] ?? '!']));
}
