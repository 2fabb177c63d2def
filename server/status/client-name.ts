/**
 * Clients that node operators run as systemd units, under the names the log parsers use. The second form, where there
 * is one, is how unit descriptions spell it.
 */
const CLIENTS: readonly (readonly [name: string, ...spellings: string[]])[] = [
  ['geth', 'go-ethereum'],
  ['besu'],
  ['nethermind'],
  ['erigon', 'erigon-caplin'],
  ['reth'],
  ['ethrex'],
  ['lighthouse'],
  ['lodestar'],
  ['teku'],
  ['nimbus', 'nimbus-eth2'],
  ['prysm'],
  ['grandine'],
  ['mev-boost', 'mevboost', 'mev_boost'],
  ['commit-boost', 'commitboost'],
  ['charon'],
  ['ssv', 'ssv-node'],
  ['vouch'],
  ['web3signer'],
  ['node_exporter', 'node-exporter'],
  ['prometheus'],
  ['grafana', 'grafana-server'],
  ['nginx'],
];

const BY_SPELLING = new Map(
  CLIENTS.flatMap(([name, ...more]) => [name, ...more].map((word) => [word, name])),
);

/** Words of one description looked at; what stands further back says nothing about the client. */
const WORDS_MAX = 24;

/**
 * Names the client that runs in a unit, from the unit's `Description=`. EthPillar puts the client first ("Geth Execution
 * Layer Client service for MAINNET"); hand-written units may put it later ("Integrated Execution-Consensus Client
 * Erigon"), so the first word that names a client counts.
 *
 * @returns the client's lower-case name, undefined where no word names a known one
 */
export function clientName(description: string): string | undefined {
  const words = description.toLowerCase().split(/[\s:;,/()]+/, WORDS_MAX);
  for (const word of words) {
    const name = BY_SPELLING.get(word);
    if (name !== undefined) return name;
  }
  return undefined;
}
