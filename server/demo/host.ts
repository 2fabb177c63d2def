import { createJournal, type Journal } from './journal.ts';
import { between, hex, type Random } from './random.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import { createChain } from './services/chain.ts';
import { runCharon } from './services/charon.ts';
import { runGeth } from './services/geth.ts';
import { runHostNoise } from './services/host-noise.ts';
import { runBeaconNode, runValidatorClient } from './services/lighthouse.ts';
import { runMevBoost } from './services/mev-boost.ts';
import { createUnit, type SimulatedUnit, type UnitSpec } from './unit.ts';

/** The machine behind the demo node: a journal and units that live on virtual time. */
export interface SimulatedHost {
  readonly name: string;
  readonly journal: Journal;
  /** By full unit name. */
  readonly units: ReadonlyMap<string, SimulatedUnit>;
  /** Lets virtual time pass up to `until` (epoch ms), at most `limit` events. @returns true where it got there */
  advance: Schedule['advance'];
  /** When something happens next, epoch ms. */
  next: Schedule['next'];
}

/** History the journal starts with, in ms: about 18 000 lines, which fit the journal. */
const HISTORY_MS = 6 * 3_600_000;
/** The host's uptime at the start, in ms. */
const UPTIME_MS = 9 * 86_400_000 + 4_123_456;
/** When, after the start, a service is seen to fail for the first time, in ms. */
const FIRST_CRASH_MS = 45_000;

/** The units of the host. csm_nimbusvalidator is left out on purpose: viewers see what a missing unit looks like. */
const SPECS = {
  execution: {
    name: 'execution.service',
    description: 'Geth Execution Layer Client service for MAINNET',
    identifier: 'geth',
    user: 'execution',
    uid: 996,
    commandLine: ['/usr/local/bin/geth', '--mainnet', '--datadir=/var/lib/geth', '--authrpc.port=8551'],
    memoryBytes: 9_400_000_000,
    cpuShare: 0.62,
  },
  consensus: {
    name: 'consensus.service',
    description: 'Lighthouse Consensus Layer Client service for MAINNET',
    identifier: 'lighthouse',
    user: 'consensus',
    uid: 995,
    commandLine: ['/usr/local/bin/lighthouse', 'bn', '--network=mainnet', '--datadir=/var/lib/lighthouse'],
    memoryBytes: 5_100_000_000,
    cpuShare: 0.48,
  },
  validator: {
    name: 'validator.service',
    description: 'Lighthouse Validator Client service for MAINNET',
    identifier: 'lighthouse',
    user: 'validator',
    uid: 994,
    commandLine: [
      '/usr/local/bin/lighthouse',
      'vc',
      '--network=mainnet',
      '--datadir=/var/lib/lighthouse_validator',
    ],
    memoryBytes: 210_000_000,
    cpuShare: 0.03,
  },
  mevboost: {
    name: 'mevboost.service',
    description: 'MEV-Boost Service for MAINNET',
    identifier: 'mev-boost',
    user: 'mevboost',
    uid: 993,
    commandLine: ['/usr/local/bin/mev-boost', '-mainnet', '-relay-check', '-min-bid=0.006'],
    memoryBytes: 32_000_000,
    cpuShare: 0.004,
  },
  charon: {
    name: 'charon.service',
    description: 'Charon Distributed Validator Middleware for MAINNET',
    identifier: 'charon',
    user: 'charon',
    uid: 992,
    commandLine: ['/usr/local/bin/charon', 'run'],
    memoryBytes: 180_000_000,
    cpuShare: 0.05,
  },
} as const satisfies Record<string, UnitSpec>;

/**
 * A host that has been simulated for some hours up to `now` and stands there until it is advanced. Takes a few hundred
 * ms of computing; the same `random` and `now` give the same journal.
 *
 * @param now epoch ms
 */
export function createHost({ now, random }: { now: number; random: Random }): SimulatedHost {
  const start = now - HISTORY_MS;
  const bootedAt = now - UPTIME_MS;
  const schedule = createSchedule(start);
  const name = 'demo-node';
  const journal = createJournal({
    machineId: hex(random, 32),
    bootId: hex(random, 32),
    seqnumId: hex(random, 32),
    bootedAt,
    firstSeq: between(random, 600_000, 900_000),
  });
  const hostFields = {
    _BOOT_ID: journal.bootId,
    _MACHINE_ID: journal.machineId,
    _HOSTNAME: name,
    _RUNTIME_SCOPE: 'system',
  };
  const chain = createChain({ schedule });
  const units = new Map<string, SimulatedUnit>();

  function deploy(spec: UnitSpec) {
    const unit = createUnit({ spec, journal, schedule, random, hostFields });
    units.set(spec.name, unit);
    return { unit, chain, schedule, random };
  }
  runGeth(deploy(SPECS.execution));
  runBeaconNode(deploy(SPECS.consensus));
  runValidatorClient(deploy(SPECS.validator));
  runMevBoost(deploy(SPECS.mevboost));
  runCharon({ ...deploy(SPECS.charon), firstCrashAt: now + FIRST_CRASH_MS });
  runHostNoise({ journal, schedule, random, hostFields });
  for (const unit of units.values()) unit.start({ startedAt: bootedAt + between(random, 15_000, 25_000) });
  schedule.advance(now);

  return { name, journal, units, advance: schedule.advance, next: schedule.next };
}
