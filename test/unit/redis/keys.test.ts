import assert from 'node:assert/strict';
import fc from 'fast-check';
import { keyPart, keys } from '../../../server/redis/keys.ts';

describe('keys', () => {
  it('leaves ordinary names readable', () => {
    assert.equal(keys.hostKey('node-1.example.org', 22), 'tailwire:host-key:node-1.example.org:22');
    assert.equal(keys.plainSession('0b1c'), 'ssh_session:0b1c');
  });

  it('lets no text of a user stand for another key or pattern', () => {
    for (const evil of ['a:b', '{tag}', '*', 'a b', "a'b", 'a\nb', 'é', '\ud800', 'a%3Ab']) {
      assert.match(keyPart(evil), /^[A-Za-z0-9._%-]*$/, JSON.stringify(evil));
    }
    assert.notEqual(keys.hostKey('a:22', 1), keys.hostKey('a', 221));
  });

  it('is one-to-one for well-formed text and bounded for any', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        assert.equal(keyPart(a) === keyPart(b), a === b);
      }),
    );
    assert.ok(keyPart('x'.repeat(100_000)).length < 100);
    assert.notEqual(keyPart('x'.repeat(1000)), keyPart('x'.repeat(1001)));
  });

  it('keeps sealed sessions out of the originals` sweep of ssh_session:*', () => {
    for (const name of [
      keys.session('i'),
      keys.sessionEnded('i'),
      keys.sessionSeen('i'),
      keys.sessionProof('i'),
    ]) {
      assert.ok(!name.startsWith('ssh_session:'));
    }
  });
});
