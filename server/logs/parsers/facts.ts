import type { ChainFacts } from '../../../shared/node-status.ts';
import { digitsEnd, isDigit } from './chars.ts';
import type { ParsedLine } from './types.ts';

/** Clients that follow a chain; others (relays, validators, exporters) talk about slots and blocks that are not a head. */
const EXECUTION: ReadonlySet<string> = new Set(['geth', 'erigon', 'nethermind', 'besu', 'reth', 'ethrex']);
const CONSENSUS: ReadonlySet<string> = new Set([
  'lighthouse',
  'prysm',
  'teku',
  'nimbus',
  'lodestar',
  'grandine',
]);

/** Characters of a message looked at: the longest status line is a tenth of that. */
const MESSAGE_MAX = 2000;
/** An imported block that is older than this does not belong to a client that keeps up, in seconds. */
const AGE_MAX = 300;

/**
 * A count at `from`: `19,369,001`, `#48,264,980`, `"80"`, `[100/100]`, `79/80` (connected of wanted), `Slot(5)`.
 * @returns undefined where no number of at most 15 digits stands there
 */
function countAt(text: string, from: number): number | undefined {
  let at = from;
  while (at < text.length && '#[(" '.includes(text.charAt(at))) at++;
  if (text.startsWith('Slot(', at)) at += 5;
  let digits = '';
  for (; at < text.length && digits.length < 16; at++) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) digits += text.charAt(at);
    else if (code !== 44 || digits === '' || !isDigit(text.charCodeAt(at + 1))) break;
  }
  // `12ab..` is the start of a hash, `1.5` a rate.
  const next = text.charAt(at);
  const ends =
    next === '' || ' ,;:/)]|"'.includes(next) || (next === '.' && !isDigit(text.charCodeAt(at + 1)));
  return digits === '' || digits.length > 15 || !ends ? undefined : Number(digits);
}

/** The count behind a label, wherever it stands: `Peers: 23`, `peers:  7`. `lower` is the text in lower case. */
function labelled(lower: string, ...labels: readonly string[]): number | undefined {
  for (const label of labels) {
    const at = lower.indexOf(label);
    const found = at < 0 ? undefined : countAt(lower, at + label.length);
    if (found !== undefined) return found;
  }
  return undefined;
}

function field(line: ParsedLine, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = line.fields[name];
    const found = value === undefined ? undefined : countAt(value, 0);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The number of a checkpoint, in front or behind: nimbus `949:048bd9f9`, lighthouse `0xcd…/300`, lodestar `0xcd…:267796`. */
function checkpoint(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const at = Math.max(value.lastIndexOf(':'), value.lastIndexOf('/'));
  if (at < 0) return countAt(value, 0);
  const front = value.slice(0, at);
  // A root cut to eight characters may consist of digits alone; no epoch is that long.
  if (digitsEnd(front, 0) === front.length && front.length > 0 && front.length < 8) return Number(front);
  return front.startsWith('0x') ? countAt(value, at + 1) : undefined;
}

/** The slot of nimbus' head, `06493388:15229`. */
function nimbusHead(value: string | undefined): number | undefined {
  const at = value?.indexOf(':') ?? -1;
  return value === undefined || at !== 8 ? undefined : countAt(value, at + 1);
}

const AGE_UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of an age as geth and erigon print it: `5d19h12m`, `2s`; undefined without one. */
function ageSeconds(age: string | undefined): number | undefined {
  if (age === undefined) return undefined;
  let seconds = 0;
  for (const [, digits, unit] of age.slice(0, 40).matchAll(/(\d{1,9})(?:\.\d{1,9})?(mo|ms|[a-zµ])/g)) {
    // Months and years are far beyond any bound.
    seconds += Number(digits) * (AGE_UNITS[unit ?? ''] ?? (unit === 'mo' || unit === 'y' ? 2_592_000 : 0));
  }
  return seconds;
}

/** What the fields say, whichever client named them. */
function fromFields(line: ParsedLine): ChainFacts {
  const { fields } = line;
  return defined({
    headBlock: field(line, 'latest_block'),
    headSlot: field(line, 'head_slot', 'headSlot') ?? nimbusHead(fields.head),
    finalizedEpoch:
      field(line, 'finalized_epoch', 'finalizedEpoch') ??
      checkpoint(fields.finalized ?? fields.finalized_checkpoint),
    justifiedEpoch:
      field(line, 'justified_epoch', 'justifiedEpoch') ??
      checkpoint(fields.justified ?? fields.justified_checkpoint),
    peers: peers(line),
  });
}

function peers(line: ParsedLine): number | undefined {
  // Erigon's own consensus client has peers of its own; those of the execution layer count.
  if (line.fields.app === 'caplin') return undefined;
  const named = field(line, 'peers', 'peercount', 'peer_count', 'connected_peers', 'activePeers');
  if (named !== undefined) return named;
  // `GoodPeers eth68=97 eth67=33`, and `Connected peers inboundTCP=1 outboundTCP=2 total=3`.
  if (line.message === 'GoodPeers') {
    const counts = Object.keys(line.fields).map((name) => (name.startsWith('eth') ? field(line, name) : 0));
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }
  return line.message === 'Connected peers' ? field(line, 'total') : undefined;
}

/** Beginnings of messages, lower case, whose `number` (or `blk`) is the chain's new head. */
const NEW_BLOCK = [
  'imported new potential chain segment',
  'imported new chain segment',
  'chain head was updated',
  'head updated',
  'block added to canonical chain',
  'canonical chain committed',
  'serial executed',
  'parallel executed',
];

/** Texts in which the head stands without a field: besu, nethermind. */
const BLOCK_LABELS = ['imported #', 'synced chain head to ', 'received new block: ', 'processed '];

function fromNewBlock(line: ParsedLine, lower: string): ChainFacts {
  if (NEW_BLOCK.some((start) => lower.startsWith(start))) {
    const headBlock = field(line, 'number', 'blk');
    const age = ageSeconds(line.fields.age);
    // Executing stages goes on far behind the head too; the others happen at the head or name the block's age.
    const executed = lower.endsWith('executed');
    return defined({ headBlock, ...(executed ? {} : { synced: (age ?? 0) <= AGE_MAX }) });
  }
  if (lower.startsWith('received forkchoice: ')) {
    return defined({ finalizedBlock: labelled(lower, 'finalized: ') });
  }
  const label = BLOCK_LABELS.find((start) => lower.startsWith(start));
  const headBlock = label === undefined ? undefined : countAt(lower, label.length);
  // Other clients process things too; nethermind's line is a table row.
  if (headBlock === undefined || (label === 'processed ' && !lower.includes('|'))) return {};
  // Nethermind prints a range where it processed several: `19000001...19000010`.
  const last = label === 'processed ' ? labelled(lower, '...') : undefined;
  const peers = label === 'imported #' ? labelled(lower, 'peers:') : undefined;
  return defined({ headBlock: last ?? headBlock, peers, synced: true });
}

/** Status lines of consensus clients, each slot or so. */
function fromSlot(line: ParsedLine, lower: string): ChainFacts {
  if (lower === 'synced new block' || lower === 'synced') {
    return defined({ headSlot: field(line, 'slot'), synced: true });
  }
  // Lodestar: `Synced - slot: 8569555 - head: 0x12ab…34cd - exec-block: valid(19369000 0xab…) - finalized: 0xcd…:267796 - ..`
  if (
    lower.startsWith('synced - ') ||
    lower.startsWith('syncing - ') ||
    lower.startsWith('searching peers - ')
  ) {
    const slot = labelled(lower, ' slot: ');
    const synced = lower.startsWith('synced');
    const headSlot = labelled(lower, ' head: ') ?? (synced ? slot : undefined);
    const finalized = /finalized: (\S{1,90})/.exec(lower)?.[1];
    return defined({
      headSlot,
      headBlock: labelled(lower, 'exec-block: valid('),
      finalizedEpoch: checkpoint(finalized),
      peers: labelled(lower, ' peers: '),
      synced,
      ...(synced ? {} : { syncDistance: distance(slot, headSlot) }),
    });
  }
  // Teku: `Slot Event  *** Slot: 16, Block: 72db7e..f534, Epoch: 2, Finalized checkpoint: 0, .., Peers: 0`
  if (lower.startsWith('slot event ')) {
    return defined({
      headSlot: labelled(lower, ' slot: '),
      finalizedEpoch: labelled(lower, 'finalized checkpoint: ', ' finalized: '),
      justifiedEpoch: labelled(lower, 'justified checkpoint: ', ' justified: '),
      peers: labelled(lower, 'peers: '),
      synced: true,
    });
  }
  if (lower.startsWith('sync event ') || lower.startsWith('syncing  ')) {
    const headSlot = labelled(lower, 'head slot: ');
    const target = labelled(lower, 'current slot: ', 'target slot: ');
    return defined({
      headSlot,
      peers: labelled(lower, 'peers: '),
      synced: false,
      syncDistance: labelled(lower, 'remaining slots: ') ?? distance(target, headSlot),
    });
  }
  if (lower.startsWith('imported beacon block')) return defined({ headSlot: labelled(lower, '(slot: ') });
  return {};
}

/** Beginnings of messages, lower case, of a client that is not at the head. */
const SYNCING = [
  'syncing',
  'searching for peers',
  'looking for sync target',
  'forkchoice requested sync',
  'forkchoice requested unknown head',
  'state sync in progress',
  'received forkchoice updated message when syncing',
  'worldstate download in progress',
  'block import progress',
  'backward sync',
  'unable to find sync target',
  'pipeline stage progress',
  'executing stage',
  'committed stage progress',
  'node is syncing',
  'processing block',
  'sync progress',
  'forward headers',
  'beacon headers',
  'snap state',
];

/** How far a client is that says it is behind. */
function fromSync(line: ParsedLine, lower: string): ChainFacts {
  const { fields } = line;
  // Nimbus: `sync=synced`, `sync="10h33m (0.91%) .."`; lighthouse: `new_state: Syncing Finalized Chain`.
  const word =
    lower === 'slot start' ? fields.sync : lower === 'sync state updated' ? fields.new_state : undefined;
  if (word !== undefined) {
    const synced = word.toLowerCase().startsWith('synced');
    const wall = field(line, 'wallSlot', 'slot');
    const behind = synced ? undefined : distance(wall, nimbusHead(fields.head));
    return defined({ synced, syncDistance: behind });
  }
  // Reth names stage and target where it is not live.
  const staged = lower === 'status' && fields.stage !== undefined && field(line, 'target') !== undefined;
  if (!staged && !SYNCING.some((start) => lower.startsWith(start))) return {};
  const [done, all] = progress(lower);
  const behind =
    field(line, 'distance') ??
    distance(field(line, 'current_slot'), field(line, 'head_slot')) ??
    distance(field(line, 'target'), field(line, 'checkpoint')) ??
    distance(all, done);
  const slots = lower.startsWith('processing block') ? { headSlot: done } : {};
  return defined({ synced: false, syncDistance: behind, ...slots });
}

/** `217/494191`, `10,910 / 10,949`, `19300000 of 19400000`: how much of how much. */
function progress(lower: string): [number?, number?] {
  const found = /(\d[\d,]{0,18})(?: ?\/ ?| of )(\d[\d,]{0,18})/.exec(lower);
  const [, done = '', all = ''] = found ?? [];
  return found === null
    ? []
    : ([countAt(done, 0), countAt(all, 0)].map((one) => one ?? 0) as [number, number]);
}

function distance(target: number | undefined, head: number | undefined): number | undefined {
  return target === undefined || head === undefined ? undefined : Math.max(0, target - head);
}

function defined(facts: { [K in keyof ChainFacts]: ChainFacts[K] | undefined }): ChainFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

/**
 * What one parsed line says about its client's chain: head, finality, peers, whether it keeps up. Told from names of
 * fields and from the words that the clients' status lines begin with, so that a new version with the same words needs
 * nothing here. Lines of level debug and below are left out: they count parts of the work.
 *
 * @param client name of the unit's client, lower case, or '' where it is not known
 * @returns null for a line that says nothing of the kind
 */
export function factsOf(line: ParsedLine, client = ''): ChainFacts | null {
  if (client !== '' && !EXECUTION.has(client) && !CONSENSUS.has(client)) return null;
  if (line.continuation || line.level === 'debug' || line.level === 'trace') return null;
  const lower = line.message.slice(0, MESSAGE_MAX).toLowerCase();
  const facts: ChainFacts = {
    ...fromFields(line),
    ...fromNewBlock(line, lower),
    ...fromSync(line, lower),
    ...fromSlot(line, lower),
  };
  if (lower.startsWith('peers: ') || lower.startsWith('peers | ')) {
    const connected = labelled(lower, 'all: ', 'peers: ');
    if (connected !== undefined) facts.peers = connected;
  }
  // A head that the client calls its own leaves no distance.
  if (facts.synced === true) facts.syncDistance = 0;
  if (EXECUTION.has(client)) {
    // What an execution client repeats of the beacon chain is not its own head.
    delete facts.headSlot;
    delete facts.finalizedEpoch;
    delete facts.justifiedEpoch;
  }
  for (const _fact in facts) return facts;
  return null;
}
