import { normalizeHost } from '../ssh/address.ts';
import type { SshTarget } from '../ssh/types.ts';

/** Names what viewers share: one host, however its name is spelled, as one user sees it. No secret in it. */
export function hostKey(target: Pick<SshTarget, 'host' | 'port' | 'username' | 'hostKey'>): string {
  const host = normalizeHost(target.host)?.name ?? target.host;
  // Who named another key than the pinned one may be looking at another machine.
  const named = target.hostKey === undefined ? '' : `+${target.hostKey}`;
  return `${host}:${target.port}+${target.username}${named}`;
}

/** Whether two targets log in to the same host in the same way, so that one may stand in for the other unnoticed. */
export function sameLogin(a: SshTarget, b: SshTarget): boolean {
  if (hostKey(a) !== hostKey(b) || a.hostKey !== b.hostKey) return false;
  if (a.credential.method === 'password') {
    return b.credential.method === 'password' && a.credential.password === b.credential.password;
  }
  return (
    b.credential.method === 'privateKey' &&
    a.credential.privateKey === b.credential.privateKey &&
    a.credential.passphrase === b.credential.passphrase
  );
}
