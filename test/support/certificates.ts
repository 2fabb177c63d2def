import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Authority, createAuthorityIn } from '../../scripts/certificates.ts';
import { atEnd } from './at-end.ts';

export type { Authority };

/** Makes an authority in a temporary folder that is removed at the end. */
export async function createAuthority(name = 'ca'): Promise<Authority> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tailwire-tls-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return createAuthorityIn(folder, name);
}
