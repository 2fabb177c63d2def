/**
 * LOG-9: reads JSON Lines `{id, raw, client?}` on stdin and prints `{id, level, time, time_raw, target, message,
 * fields, continuation}` per line on stdout, in order. A line that is no such object gives `{id, error}` in its place.
 */
import { pipeline } from 'node:stream/promises';
import { parseLine } from './parsers/index.ts';

/** Longest input line held, in bytes: far above a 48 kB journal line even with every character escaped. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const LINE_FEED = 10;

/** The answer to one input line. */
function answer(text: string): object {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    return { id: null, error: 'not valid JSON' };
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { id: null, error: 'not a JSON object' };
  }
  const { id = null, raw, client } = input as { id?: unknown; raw?: unknown; client?: unknown };
  if (typeof raw !== 'string') return { id, error: 'raw is not a string' };
  const parsed = parseLine(raw, typeof client === 'string' ? client : undefined);
  return {
    id,
    level: parsed.level,
    time: parsed.time,
    time_raw: parsed.timeRaw,
    target: parsed.target,
    message: parsed.message,
    fields: parsed.fields,
    continuation: parsed.continuation,
  };
}

/**
 * Cuts chunks of bytes into lines, at line feeds only: JSON text may hold U+2028, at which readline would cut too.
 * A line that is too long comes out as null, and is not held meanwhile.
 */
function createCutter() {
  let parts: Buffer[] = [];
  let held = 0;
  const hold = (part: Buffer): void => {
    held += part.length;
    if (held > MAX_LINE_BYTES) parts = [];
    else parts.push(part);
  };
  const take = (): string | null => {
    const line = held > MAX_LINE_BYTES ? null : Buffer.concat(parts).toString('utf8');
    parts = [];
    held = 0;
    return line;
  };
  return {
    /** The lines that end in this chunk. */
    *push(chunk: Buffer): Generator<string | null> {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
        hold(chunk.subarray(from, at));
        yield take();
        from = at + 1;
      }
      hold(chunk.subarray(from));
    },
    /** A last line without a line feed. */
    *end(): Generator<string | null> {
      if (held > 0) yield take();
    },
  };
}

function answerAll(lines: Iterable<string | null>): string {
  let out = '';
  for (const line of lines) {
    if (line?.trim() === '') continue;
    const result = line === null ? { id: null, error: `longer than ${MAX_LINE_BYTES} bytes` } : answer(line);
    out += `${JSON.stringify(result)}\n`;
  }
  return out;
}

/** One write per chunk read: a caller that waits for its answer gets it, and short lines do not cost a write each. */
async function* answers(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const cutter = createCutter();
  for await (const chunk of source) {
    const out = answerAll(cutter.push(chunk));
    if (out !== '') yield out;
  }
  const rest = answerAll(cutter.end());
  if (rest !== '') yield rest;
}

try {
  await pipeline(process.stdin, answers, process.stdout);
} catch (error) {
  // The reader of our output may leave early (`| head`); that is no failure of ours.
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
    process.stderr.write(`parse-cli: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
