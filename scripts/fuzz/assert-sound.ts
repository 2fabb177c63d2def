import assert from 'node:assert/strict';
import { MAX_FIELDS } from '../../server/logs/parsers/fields.ts';
import type { ParsedLine } from '../../server/logs/parsers/index.ts';
import { LEVELS } from '../../shared/log-entry.ts';

const PLAIN = {
  level: null,
  time: null,
  timeRaw: null,
  target: null,
  message: '',
  fields: {},
  continuation: false,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Throws unless the result is well-formed and nothing in it can act on a viewer, a log or a terminal. */
export function assertSound(parsed: ParsedLine): void {
  assert.ok(parsed.level === null || LEVELS.includes(parsed.level));
  assert.ok(parsed.time === null || parsed.timeRaw === null);
  if (parsed.time !== null) assert.ok(!Number.isNaN(Date.parse(parsed.time)), `no time: ${parsed.time}`);
  assert.equal(parsed.message, parsed.message.trim());
  assert.equal(Object.getPrototypeOf(parsed.fields), Object.prototype);
  const fields = Object.entries(parsed.fields);
  assert.ok(fields.length <= MAX_FIELDS);
  const texts = [parsed.message, parsed.target ?? '', parsed.timeRaw ?? '', ...fields.flat()];
  for (const text of texts) {
    assert.equal(typeof text, 'string');
    assert.doesNotMatch(text.replaceAll('\r\n', ''), ACTING);
  }
  if (parsed.continuation) {
    assert.deepEqual({ ...parsed, message: '' }, { ...PLAIN, continuation: true });
  }
}
