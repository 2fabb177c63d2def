import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { createLogger } from '../../../server/core/logger.ts';
import { escapeControls, redactText, redactValue } from '../../../server/core/redaction.ts';
import { cheapest } from '../../support/cheapest.ts';

function capture(format: 'json' | 'pretty', level: 'debug' | 'warn' = 'debug') {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { logger: createLogger({ level, format, stream }), text: () => chunks.join('') };
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const roomPayload = base64url({ clientId: 'c', room: 'r', expiresAt: 1, issuedAt: 0 });
const CANARIES = {
  password: 'canary-password-1',
  session: randomBytes(32).toString('base64url'),
  jwt: `${base64url({ alg: 'HS256' })}.${base64url({ userId: 'u' })}.${randomBytes(32).toString('base64url')}`,
  room: `${roomPayload}.${createHmac('sha256', 'k').update(roomPayload).digest('base64url')}`,
  pem: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
};

describe('logger', () => {
  for (const format of ['json', 'pretty'] as const) {
    it(`[HTTP-3] lets no secret through by key or by shape (${format})`, () => {
      const { logger, text } = capture(format);
      const { password, session, jwt, room, pem } = CANARIES;
      logger.info('login', {
        password,
        passphrase: password,
        privateKey: pem,
        token: session,
        hmacSecret: password,
      });
      logger.info('nested', {
        body: { credential: { method: 'password', password } },
        headers: { Cookie: `ssh_session=${session}` },
      });
      logger.info(`GET /ws?token=${password}&x=1 with ${jwt}`);
      logger.info(`room ${room} and session ${session}`);
      logger.warn('auth', { header: `Bearer ${password}`, url: `redis://user:${password}@h:6379/0` });
      logger.error('failed', {
        error: new Error(`bad ${jwt}`, { cause: new Error(`{"password":"${password}"}`) }),
      });
      logger.child({ token: session }).debug(`key: ${pem}`);
      const output = text();
      assert.equal(output.split('\n').length, 8);
      for (const [name, secret] of Object.entries(CANARIES)) {
        assert.ok(!output.includes(secret), `${name} was logged`);
      }
      assert.ok(!output.includes(pem.split('\n')[1] ?? pem), 'the body of the key was logged');
      assert.match(output, /x=1/);
    });

    it(`keeps what is no secret (${format})`, () => {
      const { logger, text } = capture(format);
      const fingerprint = `SHA256:${'Ab1'.repeat(14)}c`;
      logger.info('stream owned', {
        service: 'execution',
        hostKey: fingerprint,
        sessionId: 'ab'.repeat(32),
        lines: 3,
      });
      for (const part of ['stream owned', 'execution', fingerprint, 'ab'.repeat(32), '3'])
        assert.ok(text().includes(part), part);
    });

    it(`writes one line whatever the text holds (${format})`, () => {
      const { logger, text } = capture(format);
      logger.info('a\nERROR forged\r\u001b[31m', { name: 'x\ny\u2028\u009b\u202e', 'bad\nkey': 1 });
      assert.equal(
        text()
          .trimEnd()
          .split(/\r|\n|\u2028/).length,
        1,
      );
      assert.doesNotMatch(text().trimEnd(), /[\p{Cc}\u202e]/u);
    });
  }

  it('cuts long texts without letting half a secret through', () => {
    const { jwt } = CANARIES;
    const text = `${'x '.repeat(8150)}${jwt}${jwt}${jwt}`;
    const half = jwt.slice(0, 30);
    assert.ok(!redactText(text).includes(half));
    assert.ok(redactText('y'.repeat(50_000)).length < 5000);
  });

  it('ends on cycles, depth and hostile objects', () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    assert.ok(JSON.stringify(redactValue(loop)).length < 1000);
    assert.ok(JSON.stringify(redactValue(JSON.parse('{"__proto__":{"a":1}}'))).includes('_proto_'));
  });

  it('takes time linear in the text', () => {
    for (const piece of [
      '://',
      'eyJ-',
      '"password":"',
      'token=',
      '-----BEGIN PRIVATE KEY-----',
      'Bearer ',
      'a.',
    ]) {
      const text = piece.repeat(20_000);
      const ms = cheapest(() => void redactText(text));
      assert.ok(ms < 200, `${piece} took ${ms} ms`);
    }
  });

  it('escapes every control character of any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/\p{Cc}/u.test(escapeControls(text))));
  });

  it('honours the level', () => {
    const { logger, text } = capture('json', 'warn');
    logger.info('quiet');
    logger.warn('loud', { a: 1 });
    const line = JSON.parse(text());
    assert.equal(line.message, 'loud');
    assert.deepEqual(line.fields, { a: 1 });
  });
});
