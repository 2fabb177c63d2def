import { type ChainFacts, mergeFacts } from '../../shared/node-status.ts';
import { unitFileName } from '../../shared/unit-name.ts';
import type { SshTarget } from '../ssh/types.ts';
import type { JournalReader } from './journal/reader.ts';
import { factsOf } from './parsers/facts.ts';
import { parseLine } from './parsers/index.ts';

/** Lines of all units together that one reading looks at, newest first: more than a healthy host writes in a minute. */
const LINES_MAX = 400;
/** Longest reading, in ms; what was not read by then is read the next time. */
const READ_MS = 8000;

/** A unit whose facts are wanted, with the client that runs in it where that is known. */
export interface FactsUnit {
  service: string;
  client?: string | undefined;
}

export interface UnitFacts {
  /** The facts of the lines read, by unit; a newer line counts more. */
  facts: Map<string, ChainFacts>;
  /** Time of the newest line by the host's clock, epoch microseconds: where the next reading starts. Null: no line. */
  newestUs: number | null;
}

/**
 * Reads the newest lines of several units with one journalctl that ends by itself, and what they say about the chain.
 * @param sinceUs older lines are known already; absent at the first reading
 * @throws AppError as JournalReader.read
 */
export async function readUnitFacts(
  reader: JournalReader,
  target: SshTarget,
  units: readonly FactsUnit[],
  options: { sinceUs?: number | undefined; signal: AbortSignal },
): Promise<UnitFacts> {
  const byFile = new Map(units.map((unit) => [unitFileName(unit.service), unit]));
  const query = {
    source: { matches: [...byFile.keys()].map((file) => `_SYSTEMD_UNIT=${file}`), fields: ['_SYSTEMD_UNIT'] },
    start: { lines: LINES_MAX, ...(options.sinceUs === undefined ? {} : { since: options.sinceUs }) },
    reverse: true,
  };
  const facts = new Map<string, ChainFacts>();
  let newestUs: number | null = null;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(READ_MS)]);
  for await (const records of reader.read(target, query, signal)) {
    for (const record of records) {
      newestUs ??= record.realtimeUs;
      const unit = byFile.get(record.extra._SYSTEMD_UNIT ?? '');
      const found = unit && factsOf(parseLine(record.message, unit.client), unit.client);
      // Newest first: what is known stays.
      if (unit && found) facts.set(unit.service, mergeFacts(found, facts.get(unit.service) ?? {}));
    }
  }
  return { facts, newestUs };
}
