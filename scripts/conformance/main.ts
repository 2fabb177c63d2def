/**
 * `npm run conformance`: holds every raw WebSocket endpoint to RFC 6455, frame by frame, with a client of our own that
 * sends whatever it is told; once over TCP and once over TLS. Starts servers for itself. Ends with 1 on any miss.
 *
 * Options: `--only 6.3` runs the cases whose ids begin so, `--over tls` (or `tcp`) only those over one of the two.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createApp } from '../../server/app.ts';
import { type Config, loadConfig } from '../../server/config.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import { createAuthorityIn } from '../certificates.ts';
import { markdownTable } from '../markdown-table.ts';
import { listEndpoints } from './endpoints.ts';
import type { Base } from './raw-client.ts';
import { type Outcome, runCases, runHandshakes } from './run.ts';

const SECRETS = { jwtSecret: 'the JWT secret of this run', hmacSecret: 'the room secret of this run' };
const TRANSPORTS = ['tcp', 'tls'] as const;

function report(outcomes: readonly Outcome[]): void {
  const endpoints = [...new Set(outcomes.map(({ endpoint }) => endpoint))];
  const sections = [...new Set(outcomes.flatMap(({ sections: all }) => [...all.keys()]))].sort();
  const cell = (section: string, endpoint: string): string => {
    const tally = outcomes
      .find((one) => one.endpoint === endpoint && one.sections.has(section))
      ?.sections.get(section);
    return tally ? `${tally.held}/${tally.run}` : '-';
  };
  console.log(
    markdownTable(
      ['Section', ...endpoints],
      sections.map((section) => [section, ...endpoints.map((endpoint) => cell(section, endpoint))]),
    ),
  );
  for (const { endpoint, id, title, what } of outcomes.flatMap(({ misses }) => misses)) {
    console.log(`MISS ${id} (${title}) at ${endpoint}: ${what}`);
  }
}

async function runAll(base: Base, config: Config, only: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const endpoint of await listEndpoints(SECRETS)) {
    if ('0'.startsWith(only)) outcomes.push(await runHandshakes(base, endpoint));
    outcomes.push(await runCases(base, endpoint, config, ({ id }) => id.startsWith(only)));
  }
  return outcomes;
}

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, over: { type: 'string' } },
});
const transports = TRANSPORTS.filter((name) => (values.over ?? name) === name);
if (transports.length === 0) throw new Error(`--over takes one of ${TRANSPORTS.join(', ')}`);
const folder = await mkdtemp(path.join(tmpdir(), 'tailwire-conformance-'));
const began = performance.now();
let total = 0;
let missed = 0;
try {
  for (const transport of transports) {
    const authority = transport === 'tls' ? await createAuthorityIn(folder) : null;
    const files = await authority?.issue('server');
    const loaded = loadConfig({
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      JWT_SECRET: SECRETS.jwtSecret,
      HMAC_SECRET: SECRETS.hmacSecret,
      ...(files ? { TLS_CERT: files.cert, TLS_KEY: files.key } : {}),
    });
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
    const app = await createApp(loaded.config, createSilentLogger());
    const { url } = await app.listen();
    const base = authority ? { url, ca: await readFile(authority.ca) } : { url };
    const outcomes = await runAll(base, loaded.config, values.only);
    await app.stop();
    console.log(`\nOver ${transport.toUpperCase()}:\n`);
    report(outcomes);
    const held = outcomes.flatMap(({ sections }) => [...sections.values()]);
    total += held.reduce((sum, { run }) => sum + run, 0);
    missed += outcomes.reduce((sum, { misses }) => sum + misses.length, 0);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(`\n${total - missed} of ${total} held over ${transports.join(' and ')}, in ${seconds} s`);
process.exit(missed === 0 && total > 0 ? 0 : 1);
