import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeRecord, MESSAGE_MAX } from '../../../server/logs/journal/record.ts';
import { isoMicroseconds } from '../../../shared/log-batch.ts';
import { FIRST_US, fakeCursor } from '../../support/fake-journal.ts';

const CURSOR = fakeCursor(1);

function decode(fields: Record<string, unknown>) {
  return decodeRecord(
    JSON.stringify({ __CURSOR: CURSOR, __REALTIME_TIMESTAMP: String(FIRST_US), ...fields }),
  );
}

describe('a journal record', () => {
  it('takes the fields of a plain entry', () => {
    const record = decode({
      MESSAGE: 'Imported new chain segment',
      PRIORITY: '6',
      _PID: '4711',
      SYSLOG_IDENTIFIER: 'geth',
      __MONOTONIC_TIMESTAMP: '12',
      _BOOT_ID: 'b',
      UNIT: 'execution.service',
    });
    assert.deepEqual(record, {
      cursor: CURSOR,
      realtimeUs: FIRST_US,
      message: 'Imported new chain segment',
      pid: 4711,
      identifier: 'geth',
      priority: 6,
      extra: { UNIT: 'execution.service' },
    });
  });

  const messages: [string, unknown, string][] = [
    ['an array of bytes', [...Buffer.from('\u001b[31mrot\u001b[0m grün')], '\u001b[31mrot\u001b[0m grün'],
    ['bytes that are no UTF-8', [0x66, 0xff, 0x6f], 'f\ufffdo'],
    ['a NUL byte', [97, 0, 98], 'a\u0000b'],
    ['null, as for a message that was too long', null, ''],
    ['no message', undefined, ''],
    ['an empty text', '', ''],
    ['an empty array', [], ''],
    ['a repeated field: the first counts', ['first', 'second'], 'first'],
    ['a repeated field of bytes', [[104, 105], [111]], 'hi'],
    ['a repeated field whose first is null', [null, 'second'], ''],
    ['a bidirectional override as it is', 'abc\u202edef', 'abc\u202edef'],
  ];
  for (const [title, given, expected] of messages) {
    it(`reads ${title}`, () => assert.equal(decode({ MESSAGE: given })?.message, expected));
  }

  it('[SIO-3] keeps times in microseconds exact', () => {
    assert.equal(decode({ __REALTIME_TIMESTAMP: '1767225600123456' })?.realtimeUs, 1767225600123456);
    assert.equal(isoMicroseconds(1767225600123456), '2026-01-01T00:00:00.123456Z');
    assert.equal(isoMicroseconds(1767225600000007), '2026-01-01T00:00:00.000007Z');
  });

  it('leaves numbers out that are none or too big', () => {
    const record = decode({ MESSAGE: 'm', _PID: '18446744073709551615', PRIORITY: 'high' });
    assert.ok(record);
    assert.equal('pid' in record, false);
    assert.equal('priority' in record, false);
    assert.equal(decode({ __REALTIME_TIMESTAMP: '18446744073709551615' }), null);
  });

  it('keeps at most a mebi of characters of a message', () => {
    assert.equal(decode({ MESSAGE: 'm'.repeat(MESSAGE_MAX + 5) })?.message.length, MESSAGE_MAX);
  });

  for (const line of [
    '',
    '-- No entries --',
    '-- Boot 1 --',
    '{',
    '{"MESSAGE":"m"}',
    '[1]',
    'null',
    '{"__CURSOR":null}',
  ]) {
    it(`is none: ${line || 'an empty line'}`, () => assert.equal(decodeRecord(line), null));
  }

  it('[LOG-2] shows that a line stood there where its record was cut for its length', () => {
    const whole = JSON.stringify({
      SYSLOG_IDENTIFIER: 'geth',
      MESSAGE: `"__CURSOR":"no" ${'"'.repeat(50_000)}`,
      __CURSOR: CURSOR,
      __REALTIME_TIMESTAMP: String(FIRST_US),
    });
    const head = whole.slice(0, whole.indexOf('\\', 60_000) + 1);
    const line = head + whole.slice(whole.lastIndexOf('\\', whole.length - 4000));
    assert.throws(() => JSON.parse(line));
    const record = decodeRecord(line);
    assert.equal(record?.cursor, CURSOR);
    assert.equal(record?.realtimeUs, FIRST_US);
    assert.match(record?.message ?? '', /too long/);
  });

  it('throws at no line', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        decodeRecord(text);
        decodeRecord(`{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":${text}}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads any text through JSON and through bytes alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const clean = Buffer.from(text).toString();
        assert.equal(decode({ MESSAGE: clean })?.message, clean);
        assert.equal(decode({ MESSAGE: [...Buffer.from(clean)] })?.message, clean);
      }),
    );
  });
});
