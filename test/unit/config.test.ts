import assert from 'node:assert/strict';
import { type Config, loadConfig } from '../../server/config.ts';
import { isPlaceholder } from '../../server/setting-parsers.ts';
import { SETTINGS, type Setting } from '../../server/settings.ts';

const GOOD_SECRET = 'Zk3q9vT1xB7nLw5cRd8yHs2e';
const PRODUCTION = {
  NODE_ENV: 'production',
  REDIS_URL: 'redis://localhost:6379',
  SESSION_SECRET: GOOD_SECRET,
};

function accepted(env: Record<string, string>): Config {
  const result = loadConfig(env);
  assert.ok(result.ok, result.ok ? '' : result.problems.join('\n'));
  return result.config;
}

function problems(env: Record<string, string>): string[] {
  const result = loadConfig(env);
  assert.equal(result.ok, false, 'the configuration should have been refused');
  return result.ok ? [] : result.problems;
}

describe('config', () => {
  it('[ENV-1] has the defaults of the contract', () => {
    const config = accepted({});
    assert.equal(config.port, 3001);
    assert.deepEqual(config.frontendUrls, ['http://localhost:3000']);
    assert.equal(config.sessionTtlMs, 10_200_000);
    assert.equal(config.sessionMaxAgeMs, 86_400_000);
    assert.equal(config.authTimeoutMs, 10_000);
    assert.equal(config.heartbeatIntervalMs, 30_000);
    assert.equal(config.clientTimeoutMs, 60_000);
    assert.equal(config.maxPayloadBytes, 1_048_576);
    assert.equal(config.messageRate, 100);
    assert.equal(config.httpRate, 60);
    assert.deepEqual(config.allowedUnits, [
      'execution',
      'consensus',
      'validator',
      'mevboost',
      'csm_nimbusvalidator',
      'charon',
    ]);
    assert.equal(config.embedded, true);
    assert.equal(config.redisUrl, undefined);
    assert.deepEqual(config.trustProxy, { kind: 'none' });
  });

  it('[ENV-1] reads aliases, and the first name before them', () => {
    assert.equal(accepted({ WS_PORT: '4001' }).port, 4001);
    assert.equal(accepted({ PORT: '4000', WS_PORT: '4001' }).port, 4000);
    assert.equal(accepted({ NEXUS_JWT_SECRET: 'abc' }).jwtSecret, 'abc');
    assert.equal(accepted({ AUTH_SECRET: 'abc' }).hmacSecret, 'abc');
  });

  it('[ENV-1] takes an empty variable as not set', () => {
    assert.equal(accepted({ PORT: ' ', REDIS_URL: '' }).port, 3001);
  });

  it('[ENV-1] names every faulty variable at once, with an example', () => {
    const found = problems({
      NODE_ENV: 'production',
      PORT: 'http',
      FRONTEND_URL: '*',
      LOG_LEVEL: 'loud',
      EMBEDDED: 'perhaps',
      SESSION_TTL: '-1',
      ALLOWED_UNITS: 'execution,con*',
    });
    for (const name of ['PORT', 'FRONTEND_URL', 'LOG_LEVEL', 'EMBEDDED', 'SESSION_TTL', 'ALLOWED_UNITS']) {
      assert.ok(
        found.some((line) => line.startsWith(`${name} `) && line.includes(`Example: ${name}=`)),
        `${name} is missing in:\n${found.join('\n')}`,
      );
    }
  });

  it('[RUN-4] refuses production without REDIS_URL and SESSION_SECRET, and says both', () => {
    const found = problems({ NODE_ENV: 'production' });
    assert.ok(found.some((line) => line.startsWith('REDIS_URL ')));
    assert.ok(found.some((line) => line.startsWith('SESSION_SECRET ')));
    assert.equal(found.length, 2);
    assert.equal(accepted({ ...PRODUCTION, REDIS_URL: '', EMBEDDED: '1' }).embedded, true);
    assert.equal(accepted(PRODUCTION).embedded, false);
  });

  it('[RUN-4] refuses placeholder and short secrets in production, also one of several', () => {
    for (const secret of [
      'change-me',
      'your-secret',
      'secret',
      'your-secret-key-change-in-production',
      `${GOOD_SECRET},changeme`,
      'a8F3kq',
    ]) {
      const found = problems({ ...PRODUCTION, SESSION_SECRET: secret });
      assert.equal(found.length, 1, secret);
      assert.match(found[0] ?? '', /^SESSION_SECRET is (a placeholder|too short)/);
    }
    assert.match(
      problems({ ...PRODUCTION, NEXUS_JWT_SECRET: 'your-secret-key' })[0] ?? '',
      /^NEXUS_JWT_SECRET /,
    );
    assert.equal(accepted({ SESSION_SECRET: 'change-me' }).sessionSecrets[0], 'change-me');
  });

  it('[RUN-4] refuses the example of every secret, and knows a real one', () => {
    for (const row of Object.values<Setting<unknown>>(SETTINGS).filter((one) => one.secret)) {
      assert.ok(isPlaceholder(row.example), row.name);
    }
    assert.equal(isPlaceholder(GOOD_SECRET), false);
    assert.equal(isPlaceholder('session-secret-of-the-blue-house-77'), false);
  });

  it('[HTTP-3] shows no given secret in its complaints', () => {
    const text = problems({
      NODE_ENV: 'production',
      SESSION_SECRET: 'hunter2',
      REDIS_URL: 'http://user:sw0rdf1sh@host',
      VALIDATION_URL: 'ftp://user:sw0rdf1sh@host',
    }).join('\n');
    assert.doesNotMatch(text, /hunter2|sw0rdf1sh/);
  });

  it('[WS-0] makes up missing secrets outside production and says which, and leaves them out in production', () => {
    const one = accepted({ JWT_SECRET: 'given' });
    const two = accepted({});
    assert.notEqual(one.sessionSecrets[0], two.sessionSecrets[0]);
    assert.ok((one.hmacSecret ?? '').length >= 43);
    assert.match(one.notices.join('\n'), /SESSION_SECRET, HMAC_SECRET, ISSUER_KEY/);
    assert.doesNotMatch(one.notices.join('\n'), /JWT_SECRET/);
    assert.equal(accepted(PRODUCTION).jwtSecret, undefined);
    assert.deepEqual(accepted(PRODUCTION).notices, []);
  });

  it('reads several session secrets, newest first', () => {
    assert.deepEqual(accepted({ SESSION_SECRET: 'new, old' }).sessionSecrets, ['new', 'old']);
  });

  it('accepts the three kinds of Redis URLs and no others', () => {
    for (const url of ['redis://h', 'rediss://:pw@h:6380/2', 'redis+sentinel://:pw@a:26379,b:26379/main/0']) {
      assert.equal(accepted({ REDIS_URL: url }).redisUrl, url);
    }
    for (const url of ['localhost:6379', 'http://h', 'redis+sentinel://', 'redis://'])
      problems({ REDIS_URL: url });
  });

  it('normalises origins and refuses what is none', () => {
    assert.deepEqual(accepted({ FRONTEND_URL: 'https://A.example.org:443/, http://b:3000' }).frontendUrls, [
      'https://a.example.org',
      'http://b:3000',
    ]);
    for (const bad of ['*', 'null', 'a.example.org', 'https://a/path', 'file:///x'])
      problems({ FRONTEND_URL: bad });
  });

  it('reads TRUST_PROXY as hops or ranges, never as everybody', () => {
    assert.deepEqual(accepted({ TRUST_PROXY: '2' }).trustProxy, { kind: 'hops', hops: 2 });
    assert.deepEqual(accepted({ TRUST_PROXY: 'loopback,10.0.0.0/8' }).trustProxy, {
      kind: 'ranges',
      ranges: ['127.0.0.0/8', '::1/128', '10.0.0.0/8'],
    });
    problems({ TRUST_PROXY: 'true' });
  });

  it('wants both halves of a pair', () => {
    assert.match(problems({ TLS_CERT: '/c.pem' }).join(), /^TLS_KEY /);
    assert.match(problems({ DOCS_PASSWORD: 'x' }).join(), /^DOCS_USERNAME /);
  });

  it('refuses an unknown NODE_ENV rather than starting without the rules of production', () => {
    assert.match(problems({ NODE_ENV: 'prod' }).join(), /^NODE_ENV must be one of/);
  });
});
