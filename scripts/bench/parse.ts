import { readFileSync } from 'node:fs';
import { parseLine } from '../../server/logs/parsers/index.ts';
import { median } from './clock.ts';
import type { Context, Section } from './context.ts';
import { gethLine } from './lines.ts';
import { number } from './report.ts';

/** A journal record of a line as journalctl prints it, with the fields that we ask for. */
const recordOf = (raw: string) =>
  JSON.stringify({
    __CURSOR:
      's=0f1e2d3c4b5a69788796a5b4c3d2e1f0;i=1a2b3c;b=00112233445566778899aabbccddeeff;m=5d21dba00;t=645d21dba0000;x=fedcba9876543210',
    __REALTIME_TIMESTAMP: '1767225600123456',
    __MONOTONIC_TIMESTAMP: '25000000000',
    _BOOT_ID: '00112233445566778899aabbccddeeff',
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'geth',
    _PID: '4242',
    MESSAGE: raw,
  });

/** CPU time of one pass in µs. */
function timed(pass: () => void): number {
  const before = process.cpuUsage();
  pass();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

interface Lines {
  name: string;
  lines: readonly { raw: string; client: string }[];
}

function measure({ lines }: Lines, context: Context) {
  const records = lines.map(({ raw }) => recordOf(raw));
  const repeats = context.short ? 1 : Math.ceil(200_000 / lines.length);
  let kept = 0;
  const parsePass = () => {
    for (let n = 0; n < repeats; n++)
      for (const { raw, client } of lines) kept += parseLine(raw, client).message.length;
  };
  const jsonPass = () => {
    for (let n = 0; n < repeats; n++)
      for (const record of records) kept += (JSON.parse(record) as { MESSAGE: string }).MESSAGE.length;
  };
  parsePass();
  jsonPass();
  const parse: number[] = [];
  const json: number[] = [];
  for (let round = 0; round < context.rounds; round++) {
    parse.push(timed(parsePass) / (repeats * lines.length));
    json.push(timed(jsonPass) / (repeats * lines.length));
  }
  if (kept === 0) throw new Error('nothing was parsed');
  return { parse, json };
}

/** What parsing adds to a line, beside reading its journal record at all. */
export async function parse(context: Context): Promise<Section> {
  const file = new URL('../../test/fixtures/corpus.jsonl', import.meta.url);
  const corpus = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { raw: string; client: string });
  const clients = [...new Set(corpus.map(({ client }) => client))].sort();
  const sets: Lines[] = [
    { name: 'the whole corpus', lines: corpus },
    {
      name: 'the line of the fan-out',
      lines: Array.from({ length: 1000 }, (_, n) => ({ raw: gethLine(n), client: 'geth' })),
    },
    ...clients.map((client) => ({ name: client, lines: corpus.filter((line) => line.client === client) })),
  ];
  const found = sets.map((set) => ({ set, ...measure(set, context) }));
  const whole = found[0]?.parse ?? [];
  const rows = found.map(({ set, parse: own, json }) => [
    set.name,
    number(set.lines.length),
    number(median(own), 2),
    number(median(json), 2),
    number(median(own.map((value, n) => value / (json[n] ?? value))), 2),
  ]);
  return {
    name: 'parse',
    title: 'Parsing',
    method:
      'CPU time of `parseLine` over the lines of `test/fixtures/corpus.jsonl`, beside `JSON.parse` of the journal record that the same ' +
      `line comes in. Medians of ${context.rounds} alternating rounds.`,
    head: ['Lines', 'count', 'parse µs a line', 'JSON.parse µs a record', 'ratio'],
    rows,
    bounds: [{ what: 'Parsing adds to a line', value: median(whole), relation: '<=', bound: 5, unit: ' µs' }],
    notes: [],
  };
}
