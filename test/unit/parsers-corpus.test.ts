import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type FixtureLine, fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';
import { parseLine } from '../../server/logs/parsers/index.ts';

/** Least share of lines that must come out right, per part of the result. */
const BOUNDS = {
  level: 0.99,
  message: 0.97,
  fields: 0.96,
  continuation: 0.95,
  time: 0.99,
  target: 0.97,
} as const;
type Part = keyof typeof BOUNDS;
const PARTS = Object.keys(BOUNDS) as Part[];

function rightParts({ raw, expect }: FixtureLine, hint: string | undefined): Record<Part, boolean> {
  const parsed = parseLine(raw, hint);
  return {
    level: parsed.level === expect.level,
    message: parsed.message === expect.message,
    fields: isDeepStrictEqual(parsed.fields, expect.fields),
    continuation: parsed.continuation === expect.continuation,
    time: parsed.time === expect.time && parsed.timeRaw === expect.time_raw,
    target: parsed.target === expect.target,
  };
}

function shares(lines: FixtureLine[], hintOf: (line: FixtureLine) => string | undefined) {
  const wrong: string[] = [];
  const right = new Map<string, Record<Part, number> & { lines: number }>();
  for (const line of lines) {
    const parts = rightParts(line, hintOf(line));
    for (const client of [line.client, 'all']) {
      const zero = { lines: 0, level: 0, message: 0, fields: 0, continuation: 0, time: 0, target: 0 };
      const sum = right.get(client) ?? zero;
      sum.lines++;
      for (const part of PARTS) sum[part] += parts[part] ? 1 : 0;
      right.set(client, sum);
    }
    for (const part of PARTS) if (!parts[part]) wrong.push(`${line.id} ${part}`);
  }
  return { right, wrong };
}

function print(title: string, { right, wrong }: ReturnType<typeof shares>, clients: boolean): void {
  console.log(
    `      ${title}\n      ${'client'.padEnd(14)}lines ${PARTS.map((part) => part.padStart(13)).join('')}`,
  );
  for (const [client, sum] of [...right].sort(([a], [b]) => a.localeCompare(b))) {
    if (!clients && client !== 'all') continue;
    const cells = PARTS.map((part) => `${((100 * sum[part]) / sum.lines).toFixed(1)} %`.padStart(13));
    console.log(`      ${client.padEnd(14)}${String(sum.lines).padStart(5)} ${cells.join('')}`);
  }
  if (wrong.length > 0) console.log(`      wrong: ${wrong.slice(0, 40).join(', ')}`);
}

function assertBounds(result: ReturnType<typeof shares>): void {
  const all = result.right.get('all');
  assert.ok(all !== undefined && all.lines > 0, 'there are lines');
  for (const part of PARTS) {
    const share = all[part] / all.lines;
    assert.ok(
      share >= BOUNDS[part],
      `${part}: ${(100 * share).toFixed(1)} % right, ${BOUNDS[part] * 100} % wanted`,
    );
  }
}

describe('parsers on real lines', () => {
  for (const name of ['corpus.jsonl', 'corpus-more.jsonl'] as const) {
    const lines = fixtureLines(name);
    const clients = [...new Set(lines.map((line) => line.client))];

    it(`[LOG-9] understands ${name} with the unit's client as a hint`, () => {
      const result = shares(lines, (line) => line.client);
      print(`${name}, hinted`, result, true);
      assertBounds(result);
    });

    it(`[LOG-9] understands ${name} without a hint`, () => {
      const result = shares(lines, () => undefined);
      print(`${name}, unhinted`, result, false);
      assertBounds(result);
    });

    it(`[LOG-9] is not misled by a wrong hint on ${name}`, () => {
      for (const wrong of clients) assertBounds(shares(lines, () => wrong));
    });
  }
});
