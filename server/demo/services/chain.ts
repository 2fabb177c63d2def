import { between, chance, hex, type Random, seededRandom } from '../random.ts';
import type { Schedule } from '../schedule.ts';

/** Mainnet's first slot, epoch ms; slots last 12 s and 32 of them are an epoch (ethereum/consensus-specs, phase0). */
const GENESIS_MS = 1_606_824_023_000;
const SLOT_MS = 12_000;
const SLOTS_PER_EPOCH = 32;

/** The slot of the first block behind the merge and that block's number; about 0.7 % of the slots since are empty. */
const MERGE_SLOT = 4_700_013;
const MERGE_BLOCK = 15_537_394;
const FILLED_SHARE = 0.993;

/** What the simulated clients all say about one slot, so that their lines agree. */
export interface Slot {
  number: number;
  epoch: number;
  /** Epoch ms. */
  startsAt: number;
  /** Nothing was proposed. */
  missed: boolean;
  /** Ms into the slot at which the block comes in. */
  arrival: number;
  /** Height of the execution block; that of the slot before where this one is empty. */
  block: number;
  /** 0x and 64 digits each. */
  root: string;
  parentRoot: string;
  blockHash: string;
  parentHash: string;
  stateRoot: string;
  finalizedRoot: string;
  transactions: number;
  megagas: number;
  /** A validator of this node proposes. */
  ours: boolean;
}

export interface Chain {
  /** Calls back at the start of each slot. */
  onSlot(listener: (slot: Slot) => void): void;
  /** The newest slot. */
  current(): Slot;
}

/** 0x and 64 digits, always the same for the same kind and number. */
function digest(kind: number, number: number): string {
  return `0x${hex(seededRandom(number * 31 + kind), 64)}`;
}

/** How often a validator of this node proposes: far more than in life, so that one is seen soon. */
const OUR_SHARE = 1 / 60;

/** The chain as a node sees it: one slot every 12 s on mainnet's clock, the same content whenever it is simulated. */
export function createChain({ schedule }: { schedule: Schedule }): Chain {
  const listeners: ((slot: Slot) => void)[] = [];
  let number = Math.ceil((schedule.now() - GENESIS_MS) / SLOT_MS) - 1;
  let block = MERGE_BLOCK + Math.round((number - MERGE_SLOT) * FILLED_SHARE);
  let parentRoot = digest(0, number);
  let current = describe(number);

  function describe(at: number): Slot {
    const random: Random = seededRandom(at);
    const missed = chance(random, 1 - FILLED_SHARE);
    if (!missed) block++;
    const epoch = Math.floor(at / SLOTS_PER_EPOCH);
    const slot: Slot = {
      number: at,
      epoch,
      startsAt: GENESIS_MS + at * SLOT_MS,
      missed,
      arrival: chance(random, 0.04) ? between(random, 3_900, 5_200) : between(random, 950, 2_900),
      block,
      root: missed ? parentRoot : digest(0, at),
      parentRoot,
      blockHash: digest(1, block),
      parentHash: digest(1, block - 1),
      stateRoot: digest(2, block),
      finalizedRoot: digest(0, (epoch - 2) * SLOTS_PER_EPOCH),
      transactions: between(random, 90, 380),
      megagas: between(random, 9_000, 44_800) / 1000,
      ours: !missed && chance(random, OUR_SHARE),
    };
    parentRoot = slot.root;
    return slot;
  }

  function tick(): void {
    current = describe(++number);
    for (const listener of listeners) listener(current);
    schedule.after(GENESIS_MS + (number + 1) * SLOT_MS - schedule.now(), tick);
  }
  schedule.after(GENESIS_MS + (number + 1) * SLOT_MS - schedule.now(), tick);

  return {
    onSlot(listener) {
      listeners.push(listener);
    },
    current: () => current,
  };
}
