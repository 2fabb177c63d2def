import assert from 'node:assert/strict';
import fc from 'fast-check';
import { journalctl } from '../../../server/logs/journal/commands.ts';
import {
  cursorKey,
  journalOf,
  journalTag,
  readCursorKey,
  seekCursor,
} from '../../../server/logs/journal/cursor.ts';
import { fakeCursor } from '../../support/fake-journal.ts';

const hexOf = (bits: bigint) => fc.bigInt({ min: 0n, max: 2n ** bits - 1n }).map((n) => n.toString(16));
const id = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((n) => n.toString(16).padStart(32, '0'));
const cursor = fc.record({ s: id, i: hexOf(64n), b: id, m: hexOf(64n), t: hexOf(56n), x: hexOf(64n) });
const text = (c: { s: string; i: string; b: string; m: string; t: string; x: string }) =>
  `s=${c.s};i=${c.i};b=${c.b};m=${c.m};t=${c.t};x=${c.x}`;

/** What any cursor that is sought with has to look like. */
const SAFE = /^[A-Za-z0-9=;:._-]{1,200}$/;

describe('a cursor key', () => {
  it('[SIO-4] points back at its entry, whatever the numbers', () => {
    fc.assert(
      fc.property(cursor, (c) => {
        const key = cursorKey(text(c));
        assert.ok(key !== null && /^[A-Za-z0-9_-]{26,40}$/.test(key));
        const parts = readCursorKey(key);
        assert.deepEqual(parts, {
          kind: 'entry',
          tag: journalTag(c.s),
          i: BigInt(`0x${c.i}`),
          t: BigInt(`0x${c.t}`),
          x: BigInt(`0x${c.x}`),
        });
        assert.ok(parts);
        assert.equal(seekCursor(parts, c.s), `s=${c.s};i=${c.i};t=${c.t};x=${c.x}`);
        assert.equal(journalOf(text(c)), c.s);
      }),
      { numRuns: 1000 },
    );
  });

  it('seeks by time alone in a journal that is not the entry’s own, or not known', () => {
    const parts = readCursorKey(cursorKey(fakeCursor(77)) ?? '');
    assert.ok(parts);
    const other = journalOf(fakeCursor(77, 'second'));
    for (const journal of [null, other])
      assert.match(seekCursor(parts, journal), /^t=[0-9a-f]+;x=[0-9a-f]+$/);
  });

  it('tells entries apart, and knows an entry again after a reboot or with other leading zeros', () => {
    assert.notEqual(cursorKey(fakeCursor(1)), cursorKey(fakeCursor(2)));
    assert.notEqual(cursorKey(fakeCursor(1)), cursorKey(fakeCursor(1, 'second')));
    const same = fakeCursor(1)
      .replace(/;b=b+/, `;b=${'c'.repeat(32)}`)
      .replace(';i=1;', ';i=0001;');
    assert.equal(cursorKey(same), cursorKey(fakeCursor(1)));
  });

  it('carries a cursor of another shape as it is', () => {
    for (const opaque of ['s=abc;i=1', 'future-format:12.5', `${fakeCursor(1)};z=9`, '-f']) {
      const key = cursorKey(opaque);
      assert.ok(key?.startsWith('~') === true && key !== null);
      assert.deepEqual(readCursorKey(key), { kind: 'opaque', cursor: opaque });
    }
  });

  const hostile = [
    '',
    ' ',
    'a b',
    '$(id)',
    '`id`',
    "';id;'",
    '"',
    'a\nb',
    'a\0b',
    '../x',
    '*',
    'ü',
    'x'.repeat(201),
  ];
  for (const bad of hostile) {
    it(`refuses what no cursor can be: ${JSON.stringify(bad).slice(0, 30)}`, () => {
      assert.equal(cursorKey(bad), null);
      const forged = `~${Buffer.from(bad).toString('base64url')}`;
      assert.equal(readCursorKey(forged), null);
    });
  }

  it('[SIO-9] no text as a key puts more than one harmless word on the command line', () => {
    const keys = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((t) => `~${Buffer.from(t).toString('base64url')}`),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    );
    fc.assert(
      fc.property(keys, (key) => {
        const parts = readCursorKey(key);
        if (parts === null) return;
        const sought = seekCursor(parts, null);
        assert.match(sought, SAFE);
        const argv = journalctl({ source: { unit: 'execution' }, start: { cursor: sought } });
        assert.equal(argv.at(-1), `--cursor=${sought}`);
      }),
      { numRuns: 3000 },
    );
  });
});
