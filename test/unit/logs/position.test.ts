import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { cursorKey } from '../../../server/logs/journal/cursor.ts';
import { createPositionCodec } from '../../../server/logs/position.ts';
import { fakeCursor } from '../../support/fake-journal.ts';

const STREAM = 'node.example/22/ubuntu/execution';
const codec = createPositionCodec(['newest', 'older'], STREAM);
const id = codec.encode(fakeCursor(42));

const refused = (error: unknown) => error instanceof AppError && error.code === 'invalid_position';

describe('a resume position', () => {
  it('[SIO-4] leads back to its entry on every instance with the same secret', () => {
    assert.match(id, /^[A-Za-z0-9_-]{30,60}$/);
    assert.equal(codec.decode(id), cursorKey(fakeCursor(42)));
    assert.equal(createPositionCodec(['newest'], STREAM).decode(id), cursorKey(fakeCursor(42)));
    assert.equal(codec.encode(fakeCursor(42)), id);
  });

  it('is accepted after a rotation of the secret, for as long as the old one is listed', () => {
    const old = createPositionCodec(['older'], STREAM).encode(fakeCursor(42));
    assert.equal(codec.decode(old), cursorKey(fakeCursor(42)));
    assert.throws(() => createPositionCodec(['newest'], STREAM).decode(old), refused);
    assert.throws(() => createPositionCodec(['older'], STREAM).decode(id), refused);
  });

  for (const foreign of [
    'other.example/22/ubuntu/execution',
    'node.example/2222/ubuntu/execution',
    'node.example/22/root/execution',
    'node.example/22/ubuntu/consensus',
    'node.example/22/ubuntu/executio',
    '',
  ]) {
    it(`[LOG-6] of another stream is refused: ${foreign || 'no name'}`, () => {
      assert.throws(
        () => codec.decode(createPositionCodec(['newest'], foreign).encode(fakeCursor(42))),
        refused,
      );
    });
  }

  it('[LOG-6] is refused when cut, at every length', () => {
    for (let length = 0; length < id.length; length++)
      assert.throws(() => codec.decode(id.slice(0, length)), refused);
  });

  it('[LOG-6] is refused with any character changed or added', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = 0; at < id.length; at++) {
      const other = alphabet[(alphabet.indexOf(id[at] ?? '') + 1) % 64];
      assert.throws(() => codec.decode(id.slice(0, at) + other + id.slice(at + 1)), refused);
    }
    for (const more of ['A', '=', ' ', '\n', '\0', '~'])
      assert.throws(() => codec.decode(id + more), refused);
  });

  it('[LOG-6] is refused where it is forged: any text, and any entry under another secret', () => {
    const forger = createPositionCodec(['guessed'], STREAM);
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.base64String({ maxLength: 80 }),
      fc.nat().map((n) => forger.encode(fakeCursor(n))),
    );
    fc.assert(
      fc.property(texts, (text) => {
        assert.throws(() => codec.decode(text), refused);
      }),
      { numRuns: 2000 },
    );
  });

  it('is made of no cursor that could not be read back', () => {
    assert.throws(
      () => codec.encode('a b'),
      (error) => error instanceof AppError && error.code === 'log_stream_failed',
    );
  });
});
