import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildServer } from '../built-server.ts';
import { createLab, type Lab } from '../lab/lab.ts';
import { watchOver } from '../lab/watchdog.ts';
import { catchup } from './catchup.ts';
import { createClusters } from './clusters.ts';
import { connections } from './connections.ts';
import type { Context, Section } from './context.ts';
import { fanout } from './fanout.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { parse } from './parse.ts';
import { buildPrograms } from './programs.ts';
import { toMarkdown, writeSection } from './report.ts';
import { rooms } from './rooms.ts';
import { startCluster } from './server.ts';
import { slow } from './slow.ts';
import { storm } from './storm.ts';

const BENCHES: Record<string, { title: string; run(context: Context): Promise<Section> }> = {
  fanout: { title: '200 viewers of one unit, beside Socket.IO, ws, Nchan and NATS', run: fanout },
  catchup: { title: 'a viewer resumes over 200 000 lines, beside ssh', run: catchup },
  latency: { title: 'the age of lines on another instance, beside ssh', run: latency },
  idle: { title: 'memory of an idle viewer, beside bare Socket.IO', run: idle },
  slow: { title: 'one viewer that does not read among 100', run: slow },
  storm: { title: '5000 viewers come back at once after their instance was killed', run: storm },
  rooms: { title: '500 plain WebSocket members of one room, beside ws and Nchan', run: rooms },
  connections: { title: 'memory of 5000 idle plain WebSockets, beside bare ws', run: connections },
  parse: { title: 'CPU time of the parser, beside JSON.parse', run: parse },
};

const USAGE = `Measures Tailwire side by side with what else one would use, in one run.

  npm run bench -- NAME... [--rounds N] [--write] [--short] [--only TEXT] [--profile] [--no-build]
  npm run bench -- all

${Object.entries(BENCHES)
  .map(([name, { title }]) => `  ${name.padEnd(11)} ${title}`)
  .join('\n')}

  --write    puts the results into docs/benchmarks.md
  --short    tiny numbers: shows that it runs, measures nothing
  --only     only the candidates whose names contain TEXT,... (fanout)
  --profile  keeps CPU profiles of our servers, and says where
  --no-build measures the server as it was built last

It needs root, redis-server, and what npm run lab needs.`;

const DOCUMENT = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

interface Command {
  names: string[];
  rounds: number | null;
  write: boolean;
  short: boolean;
  profile: boolean;
  only: string[];
  build: boolean;
}

/** @throws Error that says what is wrong with the words */
function parseWords(words: readonly string[]): Command {
  const command: Command = {
    names: [],
    rounds: null,
    write: false,
    short: false,
    profile: false,
    only: [],
    build: true,
  };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--write') command.write = true;
    else if (word === '--short') command.short = true;
    else if (word === '--profile') command.profile = true;
    else if (word === '--no-build') command.build = false;
    else if (word === '--only') command.only = (rest.shift() ?? '').toLowerCase().split(',');
    else if (word === '--rounds') {
      command.rounds = Number(rest.shift());
      if (!Number.isInteger(command.rounds) || command.rounds < 1)
        throw new Error('--rounds needs a whole number');
    } else if (word === 'all') command.names.push(...Object.keys(BENCHES));
    else if (Object.hasOwn(BENCHES, word)) command.names.push(word);
    else throw new Error(`Unknown word ${word}\n\n${USAGE}`);
  }
  return command;
}

async function main(words: string[]): Promise<number> {
  const command = parseWords(words);
  if (command.names.length === 0) {
    console.log(USAGE);
    return words.length === 0 ? 0 : 2;
  }
  const log = (line: string) => console.log(line);
  const folder = await mkdtemp(join(tmpdir(), 'tailwire-bench-'));
  let lab: Promise<Lab> | null = null;
  let stopWatching = () => {};
  async function start(): Promise<Lab> {
    const made = await createLab({ hosts: 1, background: false, owned: true, log });
    stopWatching = watchOver(made.slot);
    return made;
  }
  const end = async () => {
    await clusters.stop();
    await (await lab?.catch(() => null))?.down();
    stopWatching();
    if (!command.profile) await rm(folder, { recursive: true, force: true });
  };
  const interrupted = () => {
    end().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const clusters = createClusters({
    share: command.short,
    async start(wish) {
      const lab = await context.lab();
      const [host] = lab.hosts;
      if (!host) throw new Error('no host');
      return startCluster({ ...wish, lab, host, folder });
    },
  });
  const context: Context = {
    lab: () => (lab ??= start()),
    clusters,
    folder,
    short: command.short,
    rounds: command.rounds ?? (command.short ? 1 : 5),
    profile: command.profile,
    only: command.only,
    log,
  };
  try {
    await buildPrograms();
    if (command.build) await buildServer();
    else log('The server is measured as it was built last.');
    for (const name of new Set(command.names)) {
      log(`\n${name}: load ${loadavg()[0]?.toFixed(1)}`);
      const section = await BENCHES[name]?.run(context);
      if (!section) continue;
      log(`\n## ${section.title}\n\n${toMarkdown(section)}`);
      if (!command.write) continue;
      const document = existsSync(DOCUMENT) ? await readFile(DOCUMENT, 'utf8') : '# Benchmarks\n';
      await writeFile(DOCUMENT, writeSection(document, section));
    }
  } finally {
    await end();
  }
  if (command.profile) log(`\nProfiles and logs: ${folder}`);
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
