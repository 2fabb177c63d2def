import { type ChainFacts, mergeFacts, type UnitStatus } from '../../shared/node-status.ts';
import type { Logger } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';
import type { Clock, ReadUnitFacts } from './types.ts';

/** Shortest time between two readings of one host, in ms: slots take 12 s, and each reading is a process on the host. */
const READ_EVERY = 15_000;
/** A fact that no line has repeated for this long is not told any more, in ms. */
const FACT_AGE_MAX = 300_000;

type FactName = keyof ChainFacts;

interface Remembered {
  /** The process that the facts are of. */
  pid: number | undefined;
  facts: ChainFacts;
  /** When each was last told, epoch ms. */
  told: Map<FactName, number>;
}

export interface FactsKeeper {
  /** The units with what is known about their chains. */
  complete(units: readonly UnitStatus[]): UnitStatus[];
  /** Reads the units' newest lines if that is due; at most one reading at a time, and nobody waits for it. */
  refresh(target: SshTarget, units: readonly UnitStatus[]): void;
  /** Resolves when no reading is under way. */
  idle(): Promise<void>;
}

/**
 * Keeps what the lines of a host's units say about their chains. The lines come from one short journalctl for all units
 * together, at most each 15 s and only while somebody watches the status, from where the last one ended: parsing the
 * live streams instead would know only the units whose log is being watched, and a follow of all units would carry every
 * line of the host. The promise of one follow per unit and one for the status stays [LOG-1].
 */
export function createFactsKeeper(deps: {
  unitFacts: ReadUnitFacts | undefined;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  /** What was known before this keeper began. */
  known: readonly UnitStatus[];
}): FactsKeeper {
  const { unitFacts, clock, logger, signal } = deps;
  const units = new Map<string, Remembered>();
  let sinceUs: number | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;

  function remember(unit: UnitStatus, facts: ChainFacts): void {
    const now = clock.now();
    const last = units.get(unit.service);
    const kept = last && last.pid === unit.pid ? last : null;
    const told = kept?.told ?? new Map<FactName, number>();
    for (const name of Object.keys(facts) as FactName[]) told.set(name, now);
    units.set(unit.service, { pid: unit.pid, facts: mergeFacts(kept?.facts ?? {}, facts), told });
  }

  for (const unit of deps.known) if (unit.facts) remember(unit, unit.facts);

  async function read(target: SshTarget, wanted: readonly UnitStatus[], find: ReadUnitFacts): Promise<void> {
    try {
      const found = await find(target, wanted, { sinceUs, signal });
      // Not even the line read last is there: the journal has lost it, or the host's clock was set back.
      sinceUs = found.newestUs ?? undefined;
      for (const unit of wanted) {
        const facts = found.facts.get(unit.service);
        if (facts) remember(unit, facts);
      }
    } catch (error) {
      logger.debug('chain facts were not read', { error: String(error) });
    }
  }

  return {
    complete(list) {
      const oldest = clock.now() - FACT_AGE_MAX;
      return list.map((unit) => {
        const known = units.get(unit.service);
        if (!known || known.pid !== unit.pid || unit.status === 'unknown') return unit;
        const fresh = Object.entries(known.facts).filter(
          ([name]) => (known.told.get(name as FactName) ?? 0) >= oldest,
        );
        return fresh.length === 0 ? unit : { ...unit, facts: Object.fromEntries(fresh) };
      });
    },
    refresh(target, list) {
      const running = list.filter((unit) => unit.status === 'active' || unit.status === 'reloading');
      const due = clock.now() - readAt >= READ_EVERY;
      if (!unitFacts || reading || !due || running.length === 0 || signal.aborted) return;
      readAt = clock.now();
      reading = read(target, running, unitFacts).finally(() => {
        reading = null;
      });
    },
    async idle() {
      await reading;
    },
  };
}
