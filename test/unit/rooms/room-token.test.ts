import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { createRoomTokens } from '../../../server/rooms/tokens/room-token.ts';

const NOW = 1_790_000_000_000;
const refused = (error: unknown) => error instanceof AppError && error.code === 'invalid_token';

describe('room tokens', () => {
  let now = NOW;
  const tokens = createRoomTokens({ secret: 'a secret of the test', now: () => now });
  const forge = (claims: unknown, secret = 'a secret of the test') => {
    const body = Buffer.from(typeof claims === 'string' ? claims : JSON.stringify(claims)).toString(
      'base64url',
    );
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const CLAIMS = { clientId: 'c', room: 'radio', expiresAt: NOW + 1000, issuedAt: NOW };

  beforeEach(() => {
    now = NOW;
  });

  it('[WS-2] is base64url(claims) "." base64url(HMAC-SHA256), and expires', () => {
    const { token, expiresAt } = tokens.issue({
      clientId: 'c',
      room: 'radio',
      expiresInS: 1,
      metadata: { a: 1 },
    });
    assert.equal(expiresAt, NOW + 1000);
    assert.equal(token, forge({ ...CLAIMS, metadata: { a: 1 } }));
    assert.deepEqual(tokens.verify(token), { ...CLAIMS, metadata: { a: 1 } });
    now = NOW + 999;
    tokens.verify(token);
    now = NOW + 1000;
    assert.throws(() => tokens.verify(token), refused);
  });

  it('[WS-2] opens its own room only, and with the control scope none', () => {
    const plain = tokens.grant(forge(CLAIMS));
    assert.deepEqual(
      [plain.mayJoin('radio'), plain.mayPublish('radio'), plain.mayJoin('chat')],
      [true, true, false],
    );
    assert.deepEqual([plain.from, plain.expiresAt], ['c', NOW + 1000]);
    const control = tokens.grant(forge({ ...CLAIMS, scope: 'control' }));
    assert.deepEqual([control.mayJoin('radio'), control.mayPublish('radio')], [false, false]);
  });

  const bad: Record<string, string> = {
    nothing: '',
    'one part': 'abc',
    'three parts': `${forge(CLAIMS)}.x`,
    'another secret': forge(CLAIMS, 'another'),
    'no expiry': forge({ ...CLAIMS, expiresAt: undefined }),
    'expiry as text': forge({ ...CLAIMS, expiresAt: '9999999999999' }),
    'endless expiry': forge(`{"clientId":"c","room":"radio","expiresAt":null,"issuedAt":1}`),
    'no room': forge({ ...CLAIMS, room: '' }),
    'no client': forge({ ...CLAIMS, clientId: undefined }),
    'no JSON': forge('{'),
    'no object': forge('null'),
    padded: `${forge(CLAIMS)}=`,
    'too long': forge({ ...CLAIMS, metadata: { pad: 'x'.repeat(5000) } }),
  };
  for (const [name, token] of Object.entries(bad)) {
    it(`[WS-2] refuses: ${name}`, () => assert.throws(() => tokens.verify(token), refused));
  }

  it('[WS-2] refuses a token in which any character was changed', () => {
    const token = forge(CLAIMS);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'AQZaz09-_.=+/ '), (at, char) => {
        fc.pre(token[at] !== char);
        assert.throws(() => tokens.verify(token.slice(0, at) + char + token.slice(at + 1)), refused);
      }),
      { numRuns: 1000 },
    );
  });
});
