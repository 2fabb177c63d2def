import assert from 'node:assert/strict';
import { sipHash, sipKey } from '../../../server/core/siphash.ts';

/** The authors' own vectors: key 00..0f, inputs of the bytes 00, 01, 02, ... of growing length. */
const KEY = sipKey(Buffer.from(Array.from({ length: 16 }, (_, n) => n)));
const bytes = (count: number) => String.fromCharCode(...Array.from({ length: count }, (_, n) => n));
const hex = ([low, high]: [number, number]) =>
  [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');

describe('SipHash-2-4', () => {
  it("gives the authors' results", () => {
    assert.equal(hex(sipHash(KEY, bytes(0))), '726fdb47dd0e0e31');
    assert.equal(hex(sipHash(KEY, bytes(1))), '74f839c593dc67fd');
    assert.equal(hex(sipHash(KEY, bytes(7))), 'ab0200f58b01d137');
    assert.equal(hex(sipHash(KEY, bytes(8))), '93f5f5799a932462');
    assert.equal(hex(sipHash(KEY, bytes(15))), 'a129ca6149be45e5');
  });

  it('depends on every byte of key and text', () => {
    const text = 'a text of some thirty characters';
    const seen = new Set([hex(sipHash(KEY, text))]);
    for (let at = 0; at < text.length; at++) {
      seen.add(hex(sipHash(KEY, `${text.slice(0, at)}\0${text.slice(at + 1)}`)));
    }
    for (let at = 0; at < 16; at++) {
      const other = Buffer.from(Array.from({ length: 16 }, (_, n) => n));
      other[at] = 99;
      seen.add(hex(sipHash(sipKey(other), text)));
    }
    assert.equal(seen.size, 1 + text.length + 16);
  });
});
