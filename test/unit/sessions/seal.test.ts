import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createSealer } from '../../../server/sessions/seal.ts';

describe('createSealer', () => {
  const sealer = createSealer(['new secret', 'old secret']);

  it('[SES-1] opens what it sealed, for the same token only', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'grapheme' }), (token, text) => {
        const sealed = sealer.seal(text, token);
        assert.equal(sealer.open(sealed, token), text);
        assert.equal(sealer.open(sealed, `${token}x`), null);
      }),
    );
  });

  it('[SES-1] hides the text and never seals alike twice', () => {
    const sealed = sealer.seal('pa55word', 'token');
    assert.notEqual(sealer.seal('pa55word', 'token'), sealed);
    assert.ok(!Buffer.from(sealed.split('.')[2] ?? '', 'base64url').includes('pa55word'));
  });

  it('[SES-1] opens nothing that was changed in any byte', () => {
    const sealed = sealer.seal('pa55word', 'token');
    const [version, id, body = ''] = sealed.split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(
        sealer.open(`${version}.${id}.${changed.toString('base64url')}`, 'token'),
        null,
        `byte ${at}`,
      );
    }
    for (const cut of [0, 1, 12, 27, bytes.length - 1]) {
      assert.equal(
        sealer.open(`${version}.${id}.${bytes.subarray(0, cut).toString('base64url')}`, 'token'),
        null,
      );
    }
  });

  it('opens no text that never was sealed', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(sealer.open(text, 'token'), null)));
  });

  it('[SES-1] goes on opening under an older secret and seals under the newest', () => {
    const before = createSealer(['old secret']);
    const after = createSealer(['newest secret', 'new secret']);
    const sealed = before.seal('text', 'token');
    assert.equal(sealer.open(sealed, 'token'), 'text');
    assert.equal(after.open(sealed, 'token'), null, 'the secret has been withdrawn');
    const resealed = sealer.seal('text', 'token');
    assert.equal(after.open(resealed, 'token'), 'text');
    assert.equal(before.open(resealed, 'token'), null);
    assert.ok(before.fingerprints('text').some((mark) => sealer.fingerprints('text').includes(mark)));
  });

  it('needs a secret', () => {
    assert.throws(() => createSealer([]), /secret/);
    assert.throws(() => createSealer(['good', '']), /secret/);
  });
});
