import { fuzzFrames } from './frames.ts';
import { fuzzPackets } from './packets.ts';
import { fuzzParse } from './parse.ts';
import { fuzzSlow } from './slow.ts';
import { fuzzTokens } from './tokens.ts';

const USAGE = `Feeds mutations of real input to the parts that read what hosts and clients send.

  npm run fuzz -- parse [COUNT] [SEED]      COUNT (1000000) mutated log lines
  npm run fuzz -- frames [COUNT] [SEED]     COUNT (100000) mutated messages and frames at every plain WebSocket address
  npm run fuzz -- packets [COUNT] [SEED]    COUNT (100000) mutated Socket.IO packets
  npm run fuzz -- tokens [COUNT] [SEED]     COUNT (10000) wrong secrets at every door that asks for one, and how long each takes
  npm run fuzz -- slow [COUNT]              COUNT (2000) connections that send slowly or not at all, in every way, beside good clients`;

const FUZZES: Record<
  string,
  { count: string; seed(): string; run(count: number, seed: number, report: (text: string) => void): unknown }
> = {
  parse: { count: '1000000', seed: () => String(Date.now() % 1_000_000), run: fuzzParse },
  frames: { count: '100000', seed: () => '1', run: fuzzFrames },
  packets: { count: '100000', seed: () => '1', run: fuzzPackets },
  tokens: { count: '10000', seed: () => '1', run: fuzzTokens },
  slow: { count: '2000', seed: () => '1', run: fuzzSlow },
};

const [what = '', ...words] = process.argv.slice(2);
const fuzz = Object.hasOwn(FUZZES, what) ? FUZZES[what] : undefined;
const [count = fuzz?.count ?? '', seed = fuzz?.seed() ?? ''] = words;
if (!fuzz || !/^[1-9]\d{0,9}$/.test(count) || !/^\d{1,9}$/.test(seed)) {
  console.log(USAGE);
  process.exitCode = what === '--help' ? 0 : 1;
} else {
  console.log(`seed ${seed}`);
  await fuzz.run(Number(count), Number(seed), (text) => console.log(text));
}
