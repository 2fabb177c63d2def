import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { AppError } from '../../../server/core/errors.ts';
import { matchesPattern } from '../../../server/rooms/tokens/channel-pattern.ts';
import { createJwts } from '../../../server/rooms/tokens/jwt.ts';
import { cheapest } from '../../support/cheapest.ts';

const SECRET = 'a secret of the test';
const NOW = 1_790_000_000_000;

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT made by hand, so that it may be anything. */
function forge(header: object, claims: unknown, makeSignature: (text: string) => string): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${makeSignature(text)}`;
}
const hs =
  (secret: string | Buffer, hash = 'sha256') =>
  (text: string) =>
    createHmac(hash, secret).update(text).digest('base64url');
const HS256 = { alg: 'HS256', typ: 'JWT' };
const CLAIMS = { userId: 'u', role: 'agent' };
const refused = (error: unknown) => error instanceof AppError && error.code === 'invalid_token';

describe('JWTs of channels', () => {
  const jwts = createJwts({ secret: SECRET, now: () => NOW });

  it('[WS-1] takes what it issues, and what others sign with HS256', async () => {
    const token = await jwts.issue({ ...CLAIMS, channels: ['a.*'] }, 60);
    const grant = await jwts.verify(token);
    assert.equal(grant.from, 'u');
    assert.equal(grant.role, 'agent');
    assert.equal(grant.expiresAt, NOW + 60_000);
    assert.deepEqual([grant.mayJoin('a.b'), grant.mayJoin('b')], [true, false]);
    const foreign = await jwts.verify(forge(HS256, CLAIMS, hs(SECRET)));
    assert.deepEqual([foreign.from, foreign.expiresAt, foreign.mayPublish('anything')], ['u', null, true]);
  });

  it('[WS-1] takes a user whose id is a number', async () => {
    const { from } = await jwts.verify(forge(HS256, { ...CLAIMS, userId: 7 }, hs(SECRET)));
    assert.equal(from, '7');
  });

  it('[WS-1] an observer reads and does not publish', async () => {
    const grant = await jwts.verify(await jwts.issue({ userId: 'u', role: 'observer' }));
    assert.deepEqual([grant.mayJoin('a'), grant.mayPublish('a')], [true, false]);
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const bad: Record<string, string> = {
    'nothing at all': '',
    'no JWT': 'abc',
    'alg none': forge({ alg: 'none' }, CLAIMS, () => ''),
    'alg None with a signature': forge({ alg: 'None' }, CLAIMS, hs(SECRET)),
    'no alg': forge({}, CLAIMS, hs(SECRET)),
    'HS512 with the right key': forge({ alg: 'HS512' }, CLAIMS, hs(SECRET, 'sha512')),
    'HS256 with a public key as secret': forge(HS256, CLAIMS, hs(pem)),
    'RS256 signed by somebody': forge({ alg: 'RS256' }, CLAIMS, (text) =>
      sign('sha256', Buffer.from(text), privateKey).toString('base64url'),
    ),
    'RS256 named, HS256 done': forge({ alg: 'RS256' }, CLAIMS, hs(SECRET)),
    'a key of its own in the header': forge(
      { ...HS256, jwk: { kty: 'oct', k: Buffer.from('mine').toString('base64url') } },
      CLAIMS,
      hs('mine'),
    ),
    'a key somewhere else': forge(
      { ...HS256, jku: 'http://127.0.0.1:9/keys', kid: '../../dev/null' },
      CLAIMS,
      hs(''),
    ),
    'a critical extension nobody knows': forge({ ...HS256, crit: ['exp2'], exp2: 1 }, CLAIMS, hs(SECRET)),
    'another secret': forge(HS256, CLAIMS, hs('another')),
    'no signature': forge(HS256, CLAIMS, () => ''),
    'expired just now': forge(HS256, { ...CLAIMS, exp: NOW / 1000 }, hs(SECRET)),
    'expiry as text': forge(HS256, { ...CLAIMS, exp: '9999999999' }, hs(SECRET)),
    'not valid yet': forge(HS256, { ...CLAIMS, nbf: NOW / 1000 + 5 }, hs(SECRET)),
    'for somebody else': forge(HS256, { ...CLAIMS, aud: 'billing' }, hs(SECRET)),
    'without userId': forge(HS256, { role: 'agent' }, hs(SECRET)),
    'userId no text': forge(HS256, { userId: { $ne: 1 } }, hs(SECRET)),
    'channels no list': forge(HS256, { ...CLAIMS, channels: '*' }, hs(SECRET)),
    'channels of other things': forge(HS256, { ...CLAIMS, channels: [1] }, hs(SECRET)),
    'claims no object': forge(HS256, 'u', hs(SECRET)),
    'too long': forge(HS256, { ...CLAIMS, pad: 'x'.repeat(5000) }, hs(SECRET)),
  };
  for (const [name, token] of Object.entries(bad)) {
    it(`[WS-1] refuses: ${name}`, () => assert.rejects(jwts.verify(token), refused));
  }

  it('[WS-1] takes a token that names Tailwire among others as its audience', async () => {
    await jwts.verify(forge(HS256, { ...CLAIMS, aud: ['billing', 'tailwire'] }, hs(SECRET)));
  });

  it('[WS-1] refuses a token in which any character was changed', async () => {
    const token = await jwts.issue({ ...CLAIMS, channels: ['a'] }, 60);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.=+/ '), async (at, char) => {
        fc.pre(token[at] !== char);
        await assert.rejects(jwts.verify(token.slice(0, at) + char + token.slice(at + 1)), refused);
      }),
      { numRuns: 300 },
    );
  });

  it('[WS-1] refuses any text that it did not sign', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.json(), fc.base64String(), async (head, claims, signature) => {
        const token = `${Buffer.from(head).toString('base64url')}.${Buffer.from(claims).toString('base64url')}.${signature}`;
        await assert.rejects(jwts.verify(token), refused);
      }),
      { numRuns: 200 },
    );
  });
});

describe('channel patterns', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 });

  it('[WS-1] * stands for any run of characters, everything else for itself', () => {
    fc.assert(
      fc.property(name, name, (pattern, text) => {
        const escaped = pattern.replaceAll('.', '\\.').replaceAll('*', '[^]*');
        assert.equal(matchesPattern(pattern, text), new RegExp(`^${escaped}$`).test(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('[WS-5] takes no time that grows out of hand', () => {
    const ms = cheapest(() => assert.equal(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(200)), false));
    assert.ok(ms < 50, `${ms} ms`);
  });
});
