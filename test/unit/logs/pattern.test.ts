import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import { compilePattern, estimateProgram } from '../../../server/logs/pattern.ts';
import { MAX_PATTERN } from '../../../shared/events.ts';
import { cheapest } from '../../support/cheapest.ts';
import { startStopwatch } from '../../support/stopwatch.ts';

const refused = (error: unknown) =>
  error instanceof AppError && error.code === 'invalid_pattern' && !!error.detail;

/** Text of two letters without a period, the same at each run. */
function letters(length: number): string {
  let text = '';
  for (let state = 12345; text.length < length; ) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    text += (state >> 16) & 1 ? 'a' : 'b';
  }
  return text;
}

describe('patterns of users', () => {
  it('take what people write', () => {
    for (const [pattern, line] of [
      ['number=\\d{1,3}(,\\d{3})*', 'Imported number=19,369,001'],
      ['\\b(\\d{1,3}\\.){3}\\d{1,3}\\b', 'from 203.0.113.5 port 22'],
      ['0x[0-9a-f]{64}.*0x[0-9a-f]{40}', `a 0x${'0'.repeat(64)} b 0x${'1'.repeat(40)}`],
      ['(?i)ERROR|warn', 'a Warning'],
      ['^\\[?(WARN|ERROR)', 'ERROR x'],
      ['[]x]{2}', 'a]x'],
      ['\\Qa{1000}(\\E', 'a{1000}('],
      ['[[:digit:]]{4}-[^]-]{2}', '2026-05'],
      ['x'.repeat(MAX_PATTERN), 'x'.repeat(MAX_PATTERN)],
      [`(?i)${'é'.repeat(400)}`, 'É'.repeat(400)],
    ] as const) {
      assert.equal(compilePattern(pattern)(line), true, pattern);
      assert.equal(compilePattern(pattern)('nothing of it'), false, pattern);
    }
  });

  for (const pattern of [
    '(a{1000}){1000}',
    '((a{10}){10}){10}',
    '((((a{30}){30}){30}){30})',
    'a{1000}',
    'a{1000}'.repeat(140),
    `(?:${'[a-z]'.repeat(190)}){1000}`,
    `(?:${'a?'.repeat(490)}){1000}`,
    `[]a]${'[^]a]{1000}'.repeat(80)}`,
    `[[:alpha:]${'x'.repeat(10)}]{1000}`,
    '(.*.*.*.*){125}x',
    'x{0,1000}y',
  ]) {
    it(`refuses ${pattern.slice(0, 40)} within 50 ms`, () => {
      const ms = cheapest(() => assert.throws(() => compilePattern(pattern), refused));
      assert.ok(ms < 50, `${ms} ms`);
    });
  }

  it('are counted before they are compiled, never far too low', () => {
    assert.equal(estimateProgram('abc'), 3);
    assert.ok(estimateProgram('(?:abc){100}') >= 300);
    assert.ok(estimateProgram('[a]{2]{900}') >= 900);
    assert.ok(estimateProgram('(a{30}b){30}') >= 900);
    assert.ok(estimateProgram('((((a{30}){30}){30}){30})') >= 27_000);
  });

  it('are given up when they take far longer than patterns do', () => {
    const matches = compilePattern('.*a.{200}$');
    const line = letters(60_000);
    const took = startStopwatch();
    assert.throws(() => {
      for (let n = 0; n < 50; n++) matches(line);
    }, refused);
    assert.ok(took() < 5000, `${took()} ms`);
  });

  it('are not given up on a lot of lines', () => {
    const matches = compilePattern('(?i)(error|warn).*peers=(\\d+)\\b');
    const line = `INFO [05-11|10:11:12.013] Imported new potential chain segment ${letters(100)} peers=50`;
    for (let n = 0; n < 300_000; n++) assert.equal(matches(line), false);
  });

  it('look at the first 64 kB of a line', () => {
    const line = `${'x'.repeat(65_530)}needle.`;
    assert.equal(compilePattern('needle\\.')(line), false);
    assert.equal(compilePattern('needle\\.')(line.slice(10)), true);
  });
});
