import { readFileSync } from 'node:fs';

/** A log line with what it means (test/fixtures/README.md). */
export interface FixtureLine {
  id: string;
  client: string;
  raw: string;
  expect: {
    level: string | null;
    time: string | null;
    time_raw: string | null;
    target: string | null;
    message: string;
    fields: Record<string, string>;
    continuation: boolean;
  };
}

/** The lines of a file in test/fixtures. */
export function fixtureLines(name: 'corpus.jsonl' | 'corpus-more.jsonl'): FixtureLine[] {
  return readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FixtureLine);
}
