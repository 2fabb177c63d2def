import { readFileSync } from 'node:fs';
import { run } from './run.ts';

export interface Mirror {
  suite: string;
  uri: string;
}

/** The Debian release the hosts run where the machine's mirror has it: the systemd generation Tailwire is built for. */
const PREFERRED_SUITE = 'bookworm';

/**
 * Asks apt which mirror this machine uses, so that the lab needs no setting of its own.
 *
 * @returns the mirror of the preferred suite, otherwise of the suite the machine itself runs
 * @throws Error where apt has neither
 */
export async function aptMirror(): Promise<Mirror> {
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(RELEASE) $(REPO_URI)',
    'Created-By: Packages',
    'Component: main',
  ]);
  const known = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [suite, uri] = line.trim().split(' ');
    if (suite && uri && !known.has(suite)) known.set(suite, uri);
  }
  for (const suite of [PREFERRED_SUITE, ownCodename()]) {
    const uri = known.get(suite);
    if (uri) return { suite, uri };
  }
  throw new Error(
    `apt has no source for ${PREFERRED_SUITE} main (it knows: ${[...known.keys()].join(', ') || 'none'}); add one to build the lab's hosts`,
  );
}

/** @returns apt's proxy as environment for programs that do not read apt's configuration. */
export async function aptProxyEnv(): Promise<Record<string, string>> {
  const { stdout } = await run('apt-config', [
    'shell',
    'HTTP',
    'Acquire::http::Proxy',
    'HTTPS',
    'Acquire::https::Proxy',
  ]);
  const env: Record<string, string> = {};
  for (const [, name, value] of stdout.matchAll(/^(HTTPS?)='(.*)'$/gm)) {
    if (name && value && value !== 'DIRECT') env[`${name.toLowerCase()}_proxy`] = value;
  }
  return env;
}

function ownCodename(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1]?.replaceAll('"', '') ?? '';
}
