import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createExportDecoder } from '../../../server/logs/journal/export-decoder.ts';
import { type JournalRecord, MESSAGE_MAX } from '../../../server/logs/journal/record.ts';
import { isoMicroseconds } from '../../../shared/log-batch.ts';
import { exportEntry } from '../../support/export-format.ts';
import { FIRST_US, fakeCursor } from '../../support/fake-journal.ts';

const CURSOR = fakeCursor(1);

type Fields = Parameters<typeof exportEntry>[0];

const entry = (fields: Fields) =>
  exportEntry({ __CURSOR: CURSOR, __REALTIME_TIMESTAMP: String(FIRST_US), ...fields });

/** Decodes bytes that come in chunks ending at `cuts`. */
function decode(bytes: Buffer, options: { cuts?: readonly number[]; extra?: readonly string[] } = {}) {
  let unreadable = 0;
  const decoder = createExportDecoder(options.extra, () => unreadable++);
  const ends = (options.cuts ?? []).map((cut) => cut % (bytes.length + 1));
  const records: JournalRecord[] = [];
  let from = 0;
  for (const to of [...new Set(ends), bytes.length].sort((a, b) => a - b)) {
    records.push(...decoder.push(bytes.subarray(from, to)));
    from = to;
  }
  return { records, unreadable, pending: decoder.pending() };
}

const one = (fields: Fields) => decode(entry(fields)).records[0];

describe('the decoder of the export format', () => {
  it('takes the fields of a plain entry, and further ones that were asked for', () => {
    const bytes = entry({
      __MONOTONIC_TIMESTAMP: '12',
      _BOOT_ID: 'b'.repeat(32),
      MESSAGE: 'Imported new chain=segment',
      PRIORITY: '6',
      _PID: '4711',
      SYSLOG_IDENTIFIER: 'geth',
      UNIT: 'execution.service',
      NOT_ASKED: 'x',
    });
    assert.deepEqual(decode(bytes, { extra: ['UNIT', 'JOB_TYPE'] }).records, [
      {
        cursor: CURSOR,
        realtimeUs: FIRST_US,
        message: 'Imported new chain=segment',
        pid: 4711,
        identifier: 'geth',
        priority: 6,
        extra: { UNIT: 'execution.service' },
      },
    ]);
  });

  const messages: [string, string | Buffer | string[], string][] = [
    ['colours', '\u001b[31mrot\u001b[0m grün', '\u001b[31mrot\u001b[0m grün'],
    ['bytes that are no UTF-8', Buffer.from([0x66, 0xff, 0x6f]), 'f\ufffdo'],
    ['a NUL byte', 'a\u0000b', 'a\u0000b'],
    ['several lines, one of them empty', 'first\n\nMESSAGE=second\n', 'first\n\nMESSAGE=second\n'],
    ['an empty text', '', ''],
    ['a repeated field: the first counts', ['first', 'second'], 'first'],
    ['a repeated field that is empty first', ['', 'second'], ''],
    ['a bidirectional override as it is', 'abc\u202edef', 'abc\u202edef'],
    ['more than other formats keep without --all', 'm'.repeat(60_000), 'm'.repeat(60_000)],
  ];
  for (const [title, given, expected] of messages) {
    it(`reads ${title}`, () => assert.equal(one({ MESSAGE: given })?.message, expected));
  }

  it('reads an entry without a message', () => assert.equal(one({})?.message, ''));

  it('keeps entries apart: nothing of one stands in the next', () => {
    const next = fakeCursor(2);
    const bytes = Buffer.concat([
      entry({ MESSAGE: 'm', _PID: '1', PRIORITY: '3', SYSLOG_IDENTIFIER: 'a', UNIT: 'u' }),
      entry({ __CURSOR: next }),
    ]);
    assert.deepEqual(decode(bytes, { extra: ['UNIT'] }).records[1], {
      cursor: next,
      realtimeUs: FIRST_US,
      message: '',
      extra: {},
    });
  });

  it('[SIO-3] keeps times in microseconds exact', () => {
    assert.equal(one({ __REALTIME_TIMESTAMP: '1767225600123456' })?.realtimeUs, 1767225600123456);
    assert.equal(isoMicroseconds(1767225600123456), '2026-01-01T00:00:00.123456Z');
    assert.equal(isoMicroseconds(1767225600000007), '2026-01-01T00:00:00.000007Z');
  });

  it('leaves numbers out that are none or too big', () => {
    const record = one({ _PID: '18446744073709551615', PRIORITY: 'high' });
    assert.ok(record);
    assert.equal('pid' in record, false);
    assert.equal('priority' in record, false);
  });

  it('passes over remarks, and tells of entries without cursor or time', () => {
    const bytes = Buffer.concat([
      Buffer.from('-- Boot 0123 --\n'),
      exportEntry({ MESSAGE: 'no cursor' }),
      entry({ __REALTIME_TIMESTAMP: '18446744073709551615' }),
      entry({ MESSAGE: 'm' }),
      Buffer.from('\n\n-- No entries --\n'),
    ]);
    const { records, unreadable, pending } = decode(bytes);
    assert.deepEqual(
      records.map(({ message }) => message),
      ['m'],
    );
    assert.deepEqual([unreadable, pending], [2, 0]);
  });

  it('[LOG-2] leaves out an entry that journalctl could not read to its end, and nothing of the next one', () => {
    const damaged = (fields: Parameters<typeof entry>[0]) => entry(fields).subarray(0, -1);
    const bytes = Buffer.concat([
      entry({ __CURSOR: 'a', MESSAGE: 'first' }),
      damaged({ __CURSOR: 'b', PRIORITY: '3' }),
      entry({ __CURSOR: 'c', MESSAGE: 'third' }),
      damaged({ __CURSOR: 'd', MESSAGE: 'text\nof two lines' }),
      entry({ __CURSOR: 'e' }),
    ]);
    const { records, unreadable } = decode(bytes);
    assert.deepEqual(
      records.map(({ cursor, message, priority }) => [cursor, message, priority]),
      [
        ['a', 'first', undefined],
        ['c', 'third', undefined],
        ['e', '', undefined],
      ],
    );
    assert.equal(unreadable, 2);
  });

  it('gives the same records however the bytes are cut', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ MESSAGE: text, SYSLOG_IDENTIFIER: text, UNIT: text }), { maxLength: 8 }),
        fc.array(fc.nat({ max: 5000 }), { maxLength: 40 }),
        (list, cuts) => {
          const bytes = Buffer.concat(list.map((fields) => entry(fields)));
          const clean = (value: string) => Buffer.from(value).toString();
          const { records, pending } = decode(bytes, { cuts, extra: ['UNIT'] });
          assert.equal(pending, 0);
          assert.deepEqual(
            records.map(({ message, identifier, extra }) => [message, identifier, extra.UNIT]),
            list.map((fields) => [
              clean(fields.MESSAGE),
              fields.SYSLOG_IDENTIFIER === '' ? undefined : clean(fields.SYSLOG_IDENTIFIER),
              clean(fields.UNIT),
            ]),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  for (const [title, filler] of [
    ['text', 'm'],
    ['bytes', '\u0001'],
  ] as const) {
    it(`[LOG-2] keeps a mebibyte of a longer message of ${title}, its place, and the entries behind it`, () => {
      const long = entry({ MESSAGE: filler.repeat(3 * MESSAGE_MAX + 5), SYSLOG_IDENTIFIER: 'geth' });
      const bytes = Buffer.concat([long, entry({ MESSAGE: 'next' })]);
      for (const size of [bytes.length, 32_768, 1_000_003]) {
        const cuts = Array.from({ length: Math.floor(bytes.length / size) }, (_, n) => (n + 1) * size);
        const { records } = decode(bytes, { cuts });
        assert.equal(records.length, 2);
        assert.equal(records[0]?.message.length, MESSAGE_MAX);
        assert.equal(records[0]?.cursor, CURSOR);
        assert.equal(records[0]?.identifier, 'geth');
        assert.equal(records[1]?.message, 'next');
      }
    });
  }

  it('[LOG-4] never holds more than a mebibyte and a chunk, whatever has no end', () => {
    const size = Buffer.alloc(8, 0xff);
    for (const head of [
      Buffer.from('MESSAGE='),
      Buffer.concat([Buffer.from('MESSAGE\n'), size]),
      Buffer.from('-- '),
    ]) {
      const decoder = createExportDecoder();
      decoder.push(head);
      const chunk = Buffer.alloc(262_144, 'x');
      for (let n = 0; n < 40; n++) {
        assert.deepEqual(decoder.push(chunk), []);
        assert.ok(decoder.pending() <= MESSAGE_MAX + chunk.length + 100, `${decoder.pending()} bytes`);
      }
    }
  });

  it('joins a message that comes byte by byte in linear time', () => {
    const decoder = createExportDecoder();
    const bytes = entry({ MESSAGE: 'm'.repeat(300_000) });
    const records: JournalRecord[] = [];
    for (let at = 0; at < bytes.length; at++) records.push(...decoder.push(bytes.subarray(at, at + 1)));
    assert.equal(records[0]?.message.length, 300_000);
  });

  it('throws at no bytes', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(
        ...['\n', '=', 'MESSAGE', 'MESSAGE=', '__CURSOR=', '__proto__=x\n'].map((text) => Buffer.from(text)),
      ),
      fc.constant(entry({ MESSAGE: 'm' })),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat({ max: 2000 })), (pieces, cuts) => {
        decode(Buffer.concat(pieces), { cuts, extra: ['__proto__'] });
      }),
      { numRuns: 2000 },
    );
  });
});
