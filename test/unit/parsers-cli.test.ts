import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fixtureLines } from '../../scripts/fuzz/fixture-lines.ts';

const CLI = new URL('../../server/logs/parse-cli.ts', import.meta.url).pathname;

describe('parse-cli', () => {
  let child: ChildProcessWithoutNullStreams;

  beforeEach(() => {
    child = spawn(process.execPath, ['--import=tsx', CLI]);
  });

  afterEach(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  /** Feeds `input` and returns the objects printed. */
  async function answers(input: string | Buffer): Promise<Record<string, unknown>[]> {
    const [out, err] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      pipeline(Readable.from([input]), child.stdin),
    ]);
    assert.equal(err, '');
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it('[LOG-9] prints one parse per line, in order, with and without the client', async () => {
    const lines = fixtureLines('corpus.jsonl');
    const input = lines.map(({ id, raw, client }, index) =>
      JSON.stringify(index % 2 ? { id, raw } : { id, raw, client }),
    );
    const printed = await answers(input.join('\n'));
    assert.deepEqual(
      printed,
      lines.map(({ id, expect }) => ({ id, ...expect })),
    );
    assert.deepEqual(Object.keys(printed[0] ?? {}), [
      'id',
      'level',
      'time',
      'time_raw',
      'target',
      'message',
      'fields',
      'continuation',
    ]);
  });

  it('[LOG-9] answers a bad line with an error in its place and goes on', async () => {
    const input = [
      'nonsense',
      '[1]',
      'null',
      '{"id":7}',
      '{"id":8,"raw":5}',
      '',
      '{"raw":"no id","client":{"a":1}}',
      '{"id":[9],"raw":"last"}',
    ];
    const printed = await answers(
      Buffer.concat([Buffer.from(`${input.join('\r\n')}\n`), Buffer.from([0xff, 0xfe, 10])]),
    );
    assert.deepEqual(
      printed.map((line) => ('error' in line ? 'error' : line.message)),
      ['error', 'error', 'error', 'error', 'error', 'no id', 'last', 'error'],
    );
    assert.deepEqual(
      printed.map((line) => line.id),
      [null, null, null, 7, 8, null, [9], null],
    );
  });

  it('[LOG-9] answers each line while stdin stays open, and cuts at line feeds only', async () => {
    const reader = createInterface({ input: child.stdout });
    const next = reader[Symbol.asyncIterator]();
    child.stdin.write('{"id":1,"raw":"INFO [01-02|03:04:05.678] Hello   a=\u00e9\u2028"}\n{"id":2,');
    const first = JSON.parse((await next.next()).value ?? '');
    assert.deepEqual([first.id, first.message, first.fields], [1, 'Hello', { a: '\u00e9' }]);
    child.stdin.write('"raw":"panic: boom"}\n');
    const second = JSON.parse((await next.next()).value ?? '');
    assert.deepEqual([second.id, second.level], [2, 'fatal']);
    child.stdin.end();
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });

  it('[LOG-9] ends quietly when its reader leaves', async () => {
    const err = text(child.stderr);
    child.stdin.on('error', () => {}); // The child is gone before all is written: that is the point.
    const line = `${JSON.stringify({ id: 1, raw: 'x'.repeat(1000) })}\n`;
    child.stdout.once('data', () => child.stdout.destroy());
    child.stdin.end(line.repeat(5000));
    const [code] = await once(child, 'exit');
    assert.deepEqual([code, await err], [0, '']);
  });
});
