import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePayload, parsePlainSession } from '../../../server/sessions/payload.ts';
import { isToken, newToken, tokenId } from '../../../server/sessions/token.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const original = {
  host: 'node.example',
  username: 'ubuntu',
  password: 'pw',
  port: 22,
  lastAccessed: NOW - 1000,
};

describe('parsePlainSession', () => {
  const parse = (value: unknown) => parsePlainSession(JSON.stringify(value), NOW);

  it('[SES-1] reads what an original app writes', () => {
    assert.deepEqual(parse(original), {
      target: {
        host: 'node.example',
        port: 22,
        username: 'ubuntu',
        credential: { method: 'password', password: 'pw' },
      },
      demo: false,
      createdAt: NOW - 1000,
    });
  });

  it('[SES-1] takes the port as number, text, empty or missing', () => {
    const port = (value: unknown) => parse({ ...original, port: value })?.target.port;
    assert.equal(port(2222), 2222);
    assert.equal(port('2222'), 2222);
    assert.equal(port(''), 22);
    assert.equal(port(null), 22);
    assert.equal(port(undefined), 22);
    for (const wrong of [0, 65_536, 1.5, '22x', '-1', '65536', {}, [22], true]) {
      assert.equal(parse({ ...original, port: wrong }), null, JSON.stringify(wrong));
    }
  });

  it('takes the age from lastAccessed where that can be a time', () => {
    const createdAt = (value: unknown) => parse({ ...original, lastAccessed: value })?.createdAt;
    assert.equal(createdAt(NOW - 5), NOW - 5);
    assert.equal(createdAt(new Date(NOW - 5).toISOString()), NOW - 5);
    assert.equal(createdAt(NOW + 1000), NOW, 'a clock that is ahead a little');
    for (const odd of [undefined, null, 0, 1, 'yesterday', NOW + 1e9, {}, Number.NaN]) {
      assert.equal(createdAt(odd), NOW, JSON.stringify(odd));
    }
  });

  it('[SES-1] refuses wrong types and anything that is no session', () => {
    for (const wrong of [
      { ...original, host: 1 },
      { ...original, host: '' },
      { ...original, username: null },
      { ...original, username: ['root'] },
      { ...original, password: 5 },
      { ...original, password: undefined },
      [],
      null,
      'text',
    ]) {
      assert.equal(parse(wrong), null, JSON.stringify(wrong));
    }
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parsePlainSession(text, NOW) === null));
  });

  it('does not let a session bring units or a demo flag of its own', () => {
    const session = parse({ ...original, demo: true, units: ['ssh'], __proto__: { demo: true } });
    assert.equal(session?.demo, false);
    assert.equal(session?.units, undefined);
  });
});

describe('parsePayload', () => {
  it('refuses any text that is no payload', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parsePayload(text) === null));
  });
});

describe('tokens', () => {
  it('[SES-1] are 256 random bits that pass for a token', () => {
    const tokens = new Set(Array.from({ length: 1000 }, newToken));
    assert.equal(tokens.size, 1000);
    for (const token of tokens) assert.ok(isToken(token) && Buffer.from(token, 'base64url').length === 32);
  });

  it('may be the UUID of an original app but no text that could name another key', () => {
    assert.ok(isToken('6f9619ff-8b86-4d01-b42d-00cf4fc964ff'));
    for (const wrong of ['', 'a:b', '*', 'a b', 'a\n', 'é', '{x}', 'x'.repeat(129), 1, null, undefined, {}]) {
      assert.equal(isToken(wrong), false, String(wrong));
    }
    assert.match(tokenId('x'), /^[0-9a-f]{64}$/);
  });
});
