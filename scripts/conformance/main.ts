/**
 * `npm run conformance`: holds every raw WebSocket endpoint to RFC 6455, frame by frame, with a client of our own that
 * sends whatever it is told. Starts a server for itself. Ends with 1 on any miss.
 *
 * Options: `--only 6.3` runs the cases whose ids begin so.
 */
import { parseArgs } from 'node:util';
import { createApp } from '../../server/app.ts';
import { loadConfig } from '../../server/config.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import { markdownTable } from '../markdown-table.ts';
import { listEndpoints } from './endpoints.ts';
import { type Outcome, runCases, runHandshakes } from './run.ts';

const SECRETS = { jwtSecret: 'the JWT secret of this run', hmacSecret: 'the room secret of this run' };

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

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const loaded = loadConfig({
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  PORT: '0',
  JWT_SECRET: SECRETS.jwtSecret,
  HMAC_SECRET: SECRETS.hmacSecret,
});
if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
const app = await createApp(loaded.config, createSilentLogger());
const { url } = await app.listen();
const outcomes: Outcome[] = [];
const began = performance.now();
for (const endpoint of await listEndpoints(SECRETS)) {
  if ('0'.startsWith(values.only) || values.only === '0') outcomes.push(await runHandshakes(url, endpoint));
  outcomes.push(await runCases(url, endpoint, loaded.config, ({ id }) => id.startsWith(values.only)));
}
await app.stop();
report(outcomes);
const held = outcomes.flatMap(({ sections }) => [...sections.values()]);
const total = held.reduce((sum, { run }) => sum + run, 0);
const missed = outcomes.reduce((sum, { misses }) => sum + misses.length, 0);
console.log(`\n${total - missed} of ${total} held, in ${((performance.now() - began) / 1000).toFixed(1)} s`);
process.exit(missed === 0 && total > 0 ? 0 : 1);
