import { fuzzParse } from './parse.ts';

const USAGE = `Feeds mutations of real input to the parts that read what hosts send.

  npm run fuzz -- parse [COUNT] [SEED]    COUNT (1000000) mutated log lines`;

const [what, count = '1000000', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
if (what !== 'parse' || !/^[1-9]\d{0,9}$/.test(count) || !/^\d{1,9}$/.test(seed)) {
  console.log(USAGE);
  process.exitCode = what === '--help' ? 0 : 1;
} else {
  console.log(`seed ${seed}`);
  fuzzParse(Number(count), Number(seed), (text) => console.log(text));
}
