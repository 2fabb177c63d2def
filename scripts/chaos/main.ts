import { buildServer } from '../built-server.ts';
import { createLab } from '../lab/lab.ts';
import { watchOver } from '../lab/watchdog.ts';
import { createRandom } from './random.ts';
import { report } from './report.ts';
import { createRigs } from './rigs.ts';
import { type Outcome, runScenario } from './run.ts';
import type { Size } from './scenario.ts';
import { inRigOrder, SCENARIOS } from './scenarios/index.ts';

const USAGE = `Breaks a cluster of three real servers on purpose and compares what every viewer saw with the journal.

  npm run chaos -- SCENARIO... [--repeat N] [--minutes M] [--rate R] [--viewers V] [--seed S] [--short] [--logs DIR]
  npm run chaos -- all

${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(5)} ${title}`).join('\n')}

It needs root, redis-server, and what npm run lab needs. The exit code is 1 where anything was lost, doubled or late.`;

interface Command {
  names: string[];
  size: Partial<Size>;
  seed: number;
  short: boolean;
  logsTo: string | null;
}

/** @throws Error that says what is wrong with the words */
function parse(words: readonly string[]): Command {
  const command: Command = { names: [], size: {}, seed: 1, short: false, logsTo: null };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--short') command.short = true;
    else if (word === '--logs') command.logsTo = rest.shift() ?? null;
    else if (!word.startsWith('--')) command.names.push(word.toLowerCase());
    else {
      const value = Number(rest.shift());
      if (!Number.isInteger(value) || value < 1) throw new Error(`${word} needs a whole number`);
      if (word === '--repeat') command.size.repeats = value;
      else if (word === '--minutes') command.size.minutes = value;
      else if (word === '--rate') command.size.rate = value;
      else if (word === '--viewers') command.size.viewers = value;
      else if (word === '--seed') command.seed = value;
      else throw new Error(`Unknown option ${word}`);
    }
  }
  return command;
}

async function main(words: string[]): Promise<number> {
  const command = parse(words);
  const chosen = command.names.includes('all')
    ? SCENARIOS
    : SCENARIOS.filter(({ name }) => command.names.includes(name));
  if (chosen.length === 0) {
    console.log(USAGE);
    return words.length === 0 ? 0 : 2;
  }
  const log = (line: string) => console.log(line);
  await buildServer();
  const lab = await createLab({ hosts: 1, background: false, owned: true, log });
  const stopWatching = watchOver(lab.slot);
  const interrupted = () => {
    lab.down().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const outcomes: Outcome[] = [];
  const hosts = {
    hosts: lab.hosts,
    subnet: lab.subnet,
    username: 'ethnode',
    password: lab.passwords.ethnode,
  };
  const rigs = createRigs({ lab: hosts, random: createRandom(command.seed), share: command.short });
  try {
    for (const scenario of command.short ? inRigOrder(chosen) : chosen) {
      const size = { ...(command.short ? scenario.short : scenario.full), ...command.size };
      const options = { scenario, size, seed: command.seed, long: !command.short, lab: hosts, rigs, log };
      const logsTo = command.logsTo === null ? {} : { logsTo: command.logsTo };
      outcomes.push(await runScenario({ ...options, ...logsTo }));
      const violations = outcomes.at(-1)?.violations ?? [];
      for (const violation of violations) log(`  VIOLATION: ${violation}`);
    }
  } finally {
    await rigs.stop();
    await lab.down();
    stopWatching();
  }
  log(`\n${report(outcomes)}`);
  return outcomes.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exit(code);
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
