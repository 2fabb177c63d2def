import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';
import { factsOf } from '../../server/logs/parsers/facts.ts';
import { parseLine } from '../../server/logs/parsers/index.ts';
import { type ChainFacts, chainFactsSchema } from '../../shared/node-status.ts';
import { cheapest } from '../support/cheapest.ts';

const read = (client: string, raw: string) => factsOf(parseLine(raw, client), client);
const SYNCED = { synced: true, syncDistance: 0 };

/** Lines of this test's own, in the words of each client's status lines. */
const OWN: [client: string, raw: string, facts: ChainFacts | null][] = [
  [
    'geth',
    'INFO [05-11|10:11:12.013] Imported new potential chain segment     number=22,460,123 hash=aa11bb..cc22dd blocks=1 txs=99',
    { headBlock: 22460123, ...SYNCED },
  ],
  [
    'geth',
    'INFO [05-11|10:11:12.013] Chain head was updated                   number=22,460,124 hash=aa11bb..cc22dd root=0a..0b elapsed=1.2ms',
    { headBlock: 22460124, ...SYNCED },
  ],
  [
    'geth',
    'INFO [05-11|10:11:12.013] Chain head was updated                   number=22,460,124 hash=aa11bb..cc22dd age=3h2m1s',
    { headBlock: 22460124, synced: false },
  ],
  [
    'geth',
    'INFO [05-11|10:11:12.013] Syncing: chain download in progress      synced=12.5% chain=1.2GiB headers=123,456@1MiB eta=2h3m',
    { synced: false },
  ],
  [
    'geth',
    'INFO [05-11|10:11:12.013] Looking for peers                        peercount=17 tried=50 static=0',
    { peers: 17 },
  ],
  ['geth', 'DEBUG[05-11|10:11:12.013] Imported new potential chain segment     number=5', null],
  ['geth', 'WARN [05-11|10:11:12.013] Snapshot extension registration failed   peer=5f2a5ccd', null],
  [
    'erigon',
    '[INFO] [05-11|10:11:12.013] head updated                             hash=0xab number=22460123 age=4s',
    { headBlock: 22460123, ...SYNCED },
  ],
  [
    'erigon',
    '[INFO] [05-11|10:11:12.013] [p2p] GoodPeers                          eth68=31 eth67=2',
    { peers: 33 },
  ],
  [
    'erigon',
    '[INFO] [05-11|10:11:12.013] P2P                                      app=caplin peers=64',
    null,
  ],
  [
    'nethermind',
    '11 May 10:11:12 | Processed            22460123      |  110.5 ms  | slot 12,004 ms',
    { headBlock: 22460123, ...SYNCED },
  ],
  [
    'nethermind',
    '11 May 10:11:12 | Processed   22460120...  22460123  |  410.5 ms',
    { headBlock: 22460123, ...SYNCED },
  ],
  [
    'nethermind',
    '11 May 10:11:12 | Synced Chain Head to 22460123 (0xabc123...def456)',
    { headBlock: 22460123, ...SYNCED },
  ],
  ['nethermind', '11 May 10:11:12 | Peers: 50 | node diversity : Geth (60 %)', { peers: 50 }],
  [
    'nethermind',
    '11 May 10:11:12 | Forward Headers   1,234,567 / 22,460,123 (  5.50 %) | queue 1,024',
    { synced: false, syncDistance: 21225556 },
  ],
  [
    'besu',
    '2026-05-11 10:11:12.013+00:00 | vert.x-worker-thread-0 | INFO  | AbstractEngineNewPayload | Imported #22,460,123 (aa11b.....cc22d)|  99 tx| peers: 25',
    { headBlock: 22460123, peers: 25, ...SYNCED },
  ],
  [
    'besu',
    '2026-05-11 10:11:12.013+00:00 | EthScheduler-Workers-0 | INFO  | ImportBlocksStep | Block import progress: 22460000 of 22460123 (99%)',
    { synced: false, syncDistance: 123 },
  ],
  [
    'reth',
    '2026-05-11T10:11:12.013456Z  INFO Status connected_peers=27 latest_block=22460123',
    { headBlock: 22460123, peers: 27 },
  ],
  [
    'reth',
    '2026-05-11T10:11:12.013456Z  INFO Status connected_peers=9 stage=Execution checkpoint=20000000 target=22460123',
    { peers: 9, synced: false, syncDistance: 2460123 },
  ],
  [
    'lighthouse',
    'May 11 10:11:12.013 INFO  Synced                                        peers: "91", exec_hash: "0xab (verified)", finalized_checkpoint: 0xcd12/364000, epoch: 364002, block: "0xab12", slot: 11648071',
    { headSlot: 11648071, peers: 91, finalizedEpoch: 364000, ...SYNCED },
  ],
  [
    'lighthouse',
    'May 11 10:11:12.013 INFO  Syncing                                       peers: "12", distance: "1234 slots (4 hrs 6 mins)", speed: "9.1 slots/sec"',
    { peers: 12, synced: false, syncDistance: 1234 },
  ],
  [
    'lighthouse',
    'May 11 10:11:12.013 INFO  Sync state updated    old_state: Syncing Head Chain, new_state: Synced',
    SYNCED,
  ],
  [
    'prysm',
    '[2026-05-11 10:11:12]  INFO blockchain: Synced new block block=0xab12... epoch=364002 finalizedEpoch=364000 finalizedRoot=0xcd12... slot=11648071',
    { headSlot: 11648071, finalizedEpoch: 364000, ...SYNCED },
  ],
  [
    'prysm',
    '[2026-05-11 10:11:12]  INFO p2p: Connected peers inboundQUIC=1 inboundTCP=20 outboundQUIC=9 outboundTCP=40 target=70 total=70',
    { peers: 70 },
  ],
  [
    'teku',
    '10:11:12.013 INFO  - Slot Event  *** Slot: 11648071, Block: ab12cd..ef01, Justified: 364001, Finalized: 364000, Peers: 73',
    { headSlot: 11648071, justifiedEpoch: 364001, finalizedEpoch: 364000, peers: 73, ...SYNCED },
  ],
  [
    'teku',
    '10:11:12.013 INFO  - Syncing     *** Target slot: 11648071, Head slot: 11640000, Remaining slots: 8071, Connected peers: 16',
    { headSlot: 11640000, peers: 16, synced: false, syncDistance: 8071 },
  ],
  [
    'nimbus',
    'INF 2026-05-11 10:11:12.013+00:00 Slot start                                 topics="beacnde" slot=11648072 epoch=364002 sync=synced peers=160 head=ab12cd34:11648071 finalized=364000:01234567 delay=1ms',
    { headSlot: 11648071, finalizedEpoch: 364000, peers: 160, ...SYNCED },
  ],
  [
    'lodestar',
    'May-11 10:11:12.013[]                 info: Syncing - 1.2 hours left - 9.1 slots/s - slot: 11648071 - head: 11640000 0xab…cd - exec-block: syncing(22450000 0x12…) - finalized: 0xcd…:363700 - peers: 44',
    { headSlot: 11640000, finalizedEpoch: 363700, peers: 44, synced: false, syncDistance: 8071 },
  ],
  [
    'grandine',
    '[2026-05-11T10:11:12.013Z]  INFO fork_choice_store::store:2450: imported beacon block with 3 blobs (slot: 11648071, 0xab12 peers=[99/100]',
    { headSlot: 11648071, peers: 99 },
  ],
  // Not chains: what they say of slots and peers is no head.
  [
    'mev-boost',
    'time="2026-05-11T10:11:12Z" level=info msg="best bid" blockNumber=22460123 slot=11648071 peers=3',
    null,
  ],
  ['charon', '10:11:12.013 INFO p2p        Peers {"peers": 4, "head_slot": 5}', null],
];

describe('facts about the chain', () => {
  for (const [client, raw, facts] of OWN) {
    it(`${client}: ${parseLine(raw, client).message.slice(0, 60)}`, () => {
      assert.deepEqual(read(client, raw), facts);
      // The client is known by its unit; where it is not, the line's own words suffice.
      if (facts !== null) assert.deepEqual(read('', raw), facts);
    });
  }

  it('finds the facts in the lines that services really printed, and only there', () => {
    const found = new Map<string, ChainFacts>();
    for (const { client, raw } of fixtureLines('corpus.jsonl')) {
      const facts = read(client, raw);
      if (facts !== null) found.set(`${client} ${parseLine(raw, client).message.slice(0, 24)}`, facts);
    }
    const expected: [string, ChainFacts][] = [
      ['geth Imported new potential c', { headBlock: 79011440, ...SYNCED }],
      // The block is five days old.
      ['geth Imported new chain segme', { headBlock: 47040326, synced: false }],
      ['erigon GoodPeers', { peers: 130 }],
      ['besu Imported #48,264,980 / 2', { headBlock: 48264980, peers: 23, ...SYNCED }],
      ['reth Block added to canonical', { headBlock: 45251328, peers: 100, ...SYNCED }],
      [
        'lighthouse Searching for peers',
        { headSlot: 63, finalizedEpoch: 0, peers: 0, synced: false, syncDistance: 25 },
      ],
      ['lighthouse Syncing', { peers: 44, synced: false, syncDistance: 42134 }],
      ['prysm Synced new block', { headSlot: 19897, finalizedEpoch: 619, ...SYNCED }],
      ['teku Sync Event  *** Current ', { headSlot: 34177, peers: 1, synced: false, syncDistance: 17 }],
      ['grandine imported beacon block wi', { headSlot: 4529376, peers: 100 }],
    ];
    for (const [line, facts] of expected) assert.deepEqual(found.get(line), facts, line);
    const clients = new Set([...found.keys()].map((key) => key.split(' ')[0]));
    const chains = [
      'besu',
      'erigon',
      'geth',
      'grandine',
      'lighthouse',
      'lodestar',
      'nethermind',
      'nimbus',
      'prysm',
      'reth',
      'teku',
    ];
    assert.deepEqual([...clients].sort(), chains);
  });

  it('gives sound numbers or nothing, whatever the line', () => {
    const word = fc.constantFrom(
      'peers',
      'head',
      'slot',
      'number',
      'Synced',
      'Syncing',
      'finalized',
      ': ',
      '=',
      ' - ',
      '/',
      ',',
      '0x',
      '…',
    );
    const line = fc.array(fc.oneof(word, fc.string({ maxLength: 6 }), fc.bigInt().map(String)), {
      maxLength: 20,
    });
    const starts = fc.constantFrom('', ...OWN.map(([, raw]) => raw.slice(0, 70)));
    const property = fc.property(starts, line, (start, words) => {
      const facts = read('', start + words.join(''));
      if (facts !== null) chainFactsSchema.strict().parse(facts);
    });
    fc.assert(property, { numRuns: 5000 });
  });

  it('costs little on a line of 1 MB', () => {
    const parsed = parseLine(`INFO [05-11|10:11:12.013] Syncing ${'1,2 / '.repeat(170_000)} peers=5`, 'geth');
    const ms = cheapest(() => {
      for (let run = 0; run < 100; run++) factsOf(parsed);
    });
    assert.ok(ms < 200, `${ms} ms`);
  });
});
