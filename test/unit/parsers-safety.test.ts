import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assertSound } from '../../scripts/fuzz/assert-sound.ts';
import { fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';
import { mutator } from '../../scripts/fuzz/mutate.ts';
import { MAX_FIELDS } from '../../server/logs/parsers/fields.ts';
import { parseLine } from '../../server/logs/parsers/index.ts';

const LINES = [...fixtureLines('corpus.jsonl'), ...fixtureLines('corpus-more.jsonl')];
const CLIENTS = [...new Set(LINES.map((line) => line.client))];

/** CPU time of one run in ms, the best of a few: a busy machine takes turns, which the clock on the wall would count. */
function cost(line: string, runs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = process.cpuUsage();
    parseLine(line);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const TRACING = '2023-06-22T07:36:00.929949Z  INFO ';
const GETH = 'INFO [01-02|03:04:05.678] ';
const LIGHTHOUSE = 'Jan 02 03:04:05.006 INFO text  ';

/** Lines that make careless scanners go back over what they have read, as a repeated unit behind a start. */
const HOSTILE: Record<string, [start: string, unit: string, end?: string]> = {
  letters: ['', 'a'],
  blanks: ['', ' ', 'x'],
  'open brackets': [TRACING, '('],
  'mixed brackets': [TRACING, '(] a=1 '],
  'open quotes': [GETH, 'a="'],
  'quotes before stray words': [GETH, 'a="b" c '],
  'quotes in quotes': ['level=info msg="', 'a "b" c '],
  'open brackets in values': [GETH, 'a=( '],
  'spans without end': [TRACING, 'a{'],
  'span chains': [TRACING, 'a{b=1}:'],
  'target paths': [TRACING, 'a::'],
  fields: [GETH, 'a=1 '],
  'comma fields': [LIGHTHOUSE, ', a: '],
  'runs of blanks': [LIGHTHOUSE, 'y  '],
  'nginx fields': ['2020/05/07 03:22:23 [error] 6#6: *1 c', ', client: '],
  columns: ['2022-10-27 18:05:10.691+00:00 ', '| '],
  'compose prefixes': ['', 'a | '],
  'JSON nesting': ['{"level":', '['],
  'JSON backslashes': ['{"a":"', '\\', '"}'],
  'JSON escapes': ['{"msg":"', '\\u0041', '","level":"info"}'],
  'open code points': ['level=info msg="', '\\u{', '"'],
  'trailing objects': ['2021-10-06T05:56:15.1Z  ERROR   p2p/p2p.go:1  x', ' {"a":', '}'],
  'open OSC': ['', '\u001b]'],
  'open CSI': ['', '\u001b[1;'],
  'control characters': ['', '\u0001'],
  'bidi overrides': [GETH, '\u202e'],
  'rsyslog tabs': ['', '#011'],
  'Go frames': ['', 'a.b(', ')'],
  'exception names': ['', 'a.', 'Error: x'],
};

describe('parsers on hostile lines', () => {
  it('never throws, whatever the bytes and the hint', () => {
    const hint = fc.option(fc.oneof(fc.constantFrom(...CLIENTS), fc.string()), { nil: undefined });
    const bytes = fc.uint8Array({ maxLength: 400 }).map((data) => Buffer.from(data).toString('utf8'));
    const latin = fc.uint8Array({ maxLength: 400 }).map((data) => Buffer.from(data).toString('latin1'));
    const text = fc.oneof(bytes, latin, fc.string({ unit: 'binary', maxLength: 400 }));
    const property = fc.property(text, hint, (raw, client) => assertSound(parseLine(raw, client)));
    fc.assert(property, { numRuns: 5000 });
  });

  it('never throws behind the start of a real line', () => {
    const start = fc
      .constantFrom(...LINES.map((line) => line.raw))
      .chain((raw) => fc.nat(Math.min(raw.length, 120)).map((length) => raw.slice(0, length)));
    const rest = fc.string({ unit: fc.constantFrom(...'{}[]()"\\=:,| \tak1.\u001b-#'), maxLength: 120 });
    fc.assert(
      fc.property(start, rest, (head, tail) => assertSound(parseLine(head + tail))),
      { numRuns: 5000 },
    );
  });

  it('survives 100 000 mutated lines', () => {
    const mutate = mutator(20_240_131);
    for (let round = 0; round < 100_000; round++) {
      const line = LINES[round % LINES.length];
      const other = LINES[(round * 7 + 3) % LINES.length];
      if (line === undefined || other === undefined) throw new Error('no lines');
      const raw = mutate(line.raw, other.raw);
      try {
        const parsed = parseLine(raw, round % 3 === 0 ? other.client : undefined);
        if (round % 10 === 0) assertSound(parsed);
      } catch (error) {
        throw new Error(`round ${round}: ${JSON.stringify(raw)}`, { cause: error });
      }
    }
  });

  it('takes time linear in the length of a line: 1 MB within 15 times of 100 kB', () => {
    const grown = ([start, unit, end = '']: [string, string, string?], length: number): string =>
      start + unit.repeat(Math.ceil(length / unit.length)) + end;
    for (const [name, shape] of Object.entries(HOSTILE)) {
      const short = grown(shape, 100_000);
      const long = grown(shape, 1_000_000);
      // Caches shared with others can stretch any one measurement, so the best of each counts; quadratic time (100
      // times) fails every try.
      let best = { short: Number.POSITIVE_INFINITY, long: Number.POSITIVE_INFINITY };
      let ratio = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 12 && ratio > 15; round++) {
        best = { short: Math.min(best.short, cost(short, 2)), long: Math.min(best.long, cost(long, 1)) };
        ratio = best.long / Math.max(best.short, 0.02);
      }
      assert.ok(ratio <= 15, `${name}: 1 MB takes ${ratio.toFixed(1)} times as long as 100 kB`);
    }
  }).timeout(120_000);

  it('keeps at most 64 fields, the last of repeated keys', () => {
    const many = Array.from({ length: 500 }, (_, index) => `key${index}=${index}`).join(' ');
    const parsed = parseLine(`${GETH}text ${many} key3=again`);
    assert.equal(Object.keys(parsed.fields).length, MAX_FIELDS);
    assert.equal(parsed.fields.key3, 'again');
    const json = `{"level":"info",${Array.from({ length: 5000 }, (_, n) => `"k${n}":${n}`).join(',')},"msg":"late"}`;
    assert.equal(Object.keys(parseLine(json).fields).length, MAX_FIELDS);
  });

  it('takes any key, without touching a prototype', () => {
    for (const raw of [
      '{"level":"info","msg":"m","__proto__":{"polluted":1},"constructor":"c","toString":"t"}',
      'level=info msg=m __proto__={"polluted":1} constructor=c toString=t',
    ]) {
      const { fields } = parseLine(raw);
      assert.deepEqual(Object.keys(fields).sort(), ['__proto__', 'constructor', 'toString']);
      assert.equal(Object.getPrototypeOf(fields), Object.prototype);
      assert.equal(JSON.parse(JSON.stringify(fields)).constructor, 'c');
    }
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  it('reads JSON of any depth, and takes what is too deep as text', () => {
    const nested = (depth: number): string =>
      `{"level":"info","msg":"m","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    assert.equal(parseLine(nested(30)).fields.a, '['.repeat(30) + ']'.repeat(30));
    assert.equal(parseLine(nested(100_000)).level, null);
  });

  it('shows nothing that acts on a terminal or reorders text, also out of decoded escapes', () => {
    const raw =
      '{"level":"warn","msg":"\\u001b[31mred\\u001b[0m \\u202edesrever\\u0007","k\\u009b1m":"\\u001b]0;title\\u0007v"}';
    const parsed = parseLine(raw);
    assertSound(parsed);
    assert.equal(parsed.message, 'red <U+202E>desrever\u2407');
    assert.deepEqual(parsed.fields, { k: 'v' });
  });
});
