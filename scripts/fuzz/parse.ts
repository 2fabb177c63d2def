import { factsOf } from '../../server/logs/parsers/facts.ts';
import { parseLine } from '../../server/logs/parsers/index.ts';
import { chainFactsSchema } from '../../shared/node-status.ts';
import { assertSound } from './assert-sound.ts';
import { fixtureLines } from './fixture-lines.ts';
import { mutator } from './mutate.ts';

const FACTS = chainFactsSchema.strict();

/** Longest time for one line, in ms, by the clock: mutated lines have a few thousand characters. Others may be busy too. */
const LINE_MS = 1000;

/**
 * Parses mutations of real lines: each must parse without an error, into something sound, in a bounded time.
 *
 * @param count lines
 * @param seed the same seed makes the same lines
 * @throws Error that names round and line of the first failure
 */
export function fuzzParse(count: number, seed: number, report: (text: string) => void): void {
  const lines = [...fixtureLines('corpus.jsonl'), ...fixtureLines('corpus-more.jsonl')];
  const mutate = mutator(seed);
  const started = performance.now();
  let slowest = 0;
  let chars = 0;
  for (let round = 0; round < count; round += 1) {
    const line = lines[round % lines.length];
    const other = lines[(round * 7 + 3) % lines.length];
    if (line === undefined || other === undefined) throw new Error('no lines');
    const raw = mutate(line.raw, other.raw);
    const hint = round % 3 === 0 ? other.client : undefined;
    chars += raw.length;
    try {
      const begun = performance.now();
      const parsed = parseLine(raw, hint);
      const facts = factsOf(parsed, hint);
      const took = performance.now() - begun;
      slowest = Math.max(slowest, took);
      if (took > LINE_MS) throw new Error(`took ${took.toFixed(0)} ms`);
      assertSound(parsed);
      if (facts !== null) FACTS.parse(facts);
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}: ${JSON.stringify(raw)}`, { cause: error });
    }
    if ((round + 1) % 100_000 === 0) report(`${round + 1} lines`);
  }
  const seconds = (performance.now() - started) / 1000;
  report(
    `${count} lines of ${Math.round(chars / count)} characters on average: no crash, nothing unsound, ` +
      `${seconds.toFixed(1)} s, the slowest line ${slowest.toFixed(1)} ms`,
  );
}
