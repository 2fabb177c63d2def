import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRedisUrl } from '../../../server/redis/url.ts';

describe('parseRedisUrl', () => {
  it('reads a plain URL with all its defaults', () => {
    assert.deepEqual(parseRedisUrl('redis://cache.example'), {
      label: 'redis://cache.example:6379/0',
      options: { host: 'cache.example', port: 6379, db: 0 },
    });
    assert.deepEqual(parseRedisUrl('redis://127.0.0.1:7000/3').options, {
      host: '127.0.0.1',
      port: 7000,
      db: 3,
    });
    assert.deepEqual(parseRedisUrl('redis://[::1]:7000/').options, { host: '::1', port: 7000, db: 0 });
  });

  it('decodes user and password, and a password without a user', () => {
    const { options, label } = parseRedisUrl('redis://us%40er:p%3Aa%2Fss@h:1/0');
    assert.equal(options.username, 'us@er');
    assert.equal(options.password, 'p:a/ss');
    assert.equal(label, 'redis://h:1/0');
    assert.deepEqual(parseRedisUrl('redis://:secret@h').options, {
      host: 'h',
      port: 6379,
      db: 0,
      password: 'secret',
    });
    assert.equal(parseRedisUrl('redis://u:p@ss@h').options.password, 'p@ss', 'the last @ ends the password');
  });

  it('uses TLS for rediss, with the host name to verify unless it is an address', () => {
    assert.deepEqual(parseRedisUrl('rediss://cache.example').options.tls, { servername: 'cache.example' });
    assert.deepEqual(parseRedisUrl('rediss://10.0.0.1').options.tls, {});
    assert.deepEqual(parseRedisUrl('rediss://10.0.0.1?tlsServername=a.example&tlsVerify=0').options.tls, {
      rejectUnauthorized: false,
      servername: 'a.example',
    });
    assert.equal(parseRedisUrl('redis://h').options.tls, undefined);
  });

  it('reads sentinels, their own credentials and TLS', () => {
    const { options, label } = parseRedisUrl(
      'redis+sentinel://user:pw@s1,s2:26380,[::1]:1/main/2?sentinelUsername=su&sentinelPassword=sp',
    );
    assert.deepEqual(options, {
      sentinels: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 26380 },
        { host: '::1', port: 1 },
      ],
      name: 'main',
      db: 2,
      username: 'user',
      password: 'pw',
      sentinelUsername: 'su',
      sentinelPassword: 'sp',
    });
    assert.equal(label, 'redis+sentinel://s1:26379,s2:26380,[::1]:1/main/2');

    const secure = parseRedisUrl('redis+sentinel://s1/main?tls=1').options;
    assert.equal(secure.enableTLSForSentinelMode, true);
    assert.deepEqual(secure.tls, {});
    assert.deepEqual(secure.sentinelTLS, {});
    assert.equal(
      parseRedisUrl('redis+sentinel://s1/main?tls=1&sentinelTls=0').options.sentinelTLS,
      undefined,
    );
  });

  for (const [url, message] of [
    ['', /malformed|scheme/],
    ['http://h', /scheme/],
    ['redis:h', /malformed/],
    ['redis://', /host/],
    ['redis://:secret@', /host/],
    ['redis://:secret@h:99999', /port/],
    ['redis://:secret@h:12x', /host/],
    ['redis://h/one', /database/],
    ['redis://h/1/2', /path/],
    ['redis://:sec%zzret@h', /% sequence in its password/],
    ['redis://secret@h', /without a password/],
    ['redis://:secret@h?family=6', /not known here \(known: none\)/],
    ['rediss://:secret@h?tlsVerify=maybe', /tlsVerify/],
    ['redis+sentinel://:secret@s1,s2', /no valid master/],
    ['redis+sentinel://:secret@s1,,s2/m', /host/],
    ['redis+sentinel://s1/secret@s2', /master/],
    ['redis://:pass?secret@h', /host/],
    ['redis://h?secret', /parameter/],
  ] as const) {
    it(`[ENV-1] refuses ${url.replace('secret', '***') || 'an empty text'} in words that hold no password`, () => {
      assert.throws(
        () => parseRedisUrl(url),
        (error: Error) => message.test(error.message) && !error.message.includes('secret'),
      );
    });
  }

  it('never repeats a password, whatever the URL', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        for (const scheme of ['redis', 'redis+sentinel']) {
          let said: string;
          try {
            said = parseRedisUrl(`${scheme}://${before}:cAnArY@${after}`).label;
          } catch (error) {
            said = (error as Error).message;
          }
          assert.ok(!said.includes('cAnArY'), said);
        }
      }),
    );
  });
});
