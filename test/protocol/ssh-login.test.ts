import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { AppError } from '../../server/core/errors.ts';
import type { SshPool } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { codeOf, memoryHostKeys, type TestPoolOptions, targetOf, testPool } from '../support/ssh.ts';
import { SSHD_USER, type Sshd, startSshd } from '../support/sshd.ts';
import { startStopwatch } from '../support/stopwatch.ts';

const WRONG = { method: 'password', password: 'wrong' } as const;

/** How often a text occurs in what sshd has logged. */
function times(sshd: Sshd, text: string): number {
  return sshd.log().split(text).length - 1;
}

describe('SSH login', () => {
  let sshd: Sshd;
  let pool: SshPool | undefined;

  before(async function () {
    requirePart(this, 'sshd');
    sshd = await startSshd();
  });
  after(() => sshd?.stop());
  afterEach(() => pool?.stop());

  function fresh(options?: TestPoolOptions): SshPool {
    pool = testPool(options);
    return pool;
  }

  /** Makes a key pair that may log in. */
  function userKey(name: string, ...args: string[]): string {
    const file = join(sshd.dir, name);
    execFileSync('ssh-keygen', ['-q', '-C', 'test', '-f', file, ...args]);
    sshd.authorize(readFileSync(`${file}.pub`, 'utf8'));
    return readFileSync(file, 'utf8');
  }

  it('[SES-3] logs in by password and tells the host key as ssh-keygen does', async () => {
    const login = await fresh().login(targetOf(sshd));
    assert.deepEqual(login, {
      algorithm: 'ssh-ed25519',
      fingerprint: sshd.fingerprint,
      firstSeen: '2026-01-01T00:00:00.000Z',
      pinned: true,
    });
  });

  it('uses the connection of the login for what follows', async () => {
    const ssh = fresh();
    await ssh.login(targetOf(sshd));
    const { stdout, code } = await ssh.run(targetOf(sshd), ['id', '-un']);
    assert.deepEqual({ stdout, code }, { stdout: `${SSHD_USER}\n`, code: 0 });
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 0 });
  });

  it('sends the password once where it is wrong, and not again for the cool-down', async () => {
    const ssh = fresh();
    const before = times(sshd, 'Failed password');
    const wrong = targetOf(sshd, WRONG);
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(ssh.run(wrong, ['id']))));
    assert.deepEqual(new Set(codes), new Set(['auth_failed']));
    assert.equal(await codeOf(ssh.exec(wrong, ['id'])), 'auth_failed');
    assert.equal(times(sshd, 'Failed password') - before, 1);
    // A login is the user's own new try.
    assert.equal(await codeOf(ssh.login(wrong)), 'auth_failed');
    assert.equal(times(sshd, 'Failed password') - before, 2);
    // Another credential for the same user is not concerned.
    assert.equal((await ssh.run(targetOf(sshd), ['true'])).code, 0);
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 0 });
  });

  it('tries a refused credential again after the cool-down', async () => {
    const ssh = fresh({ limits: { authCooldownMs: 1 } });
    const before = times(sshd, 'Failed password');
    assert.equal(await codeOf(ssh.run(targetOf(sshd, WRONG), ['id'])), 'auth_failed');
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await codeOf(ssh.run(targetOf(sshd, WRONG), ['id'])), 'auth_failed');
    assert.equal(times(sshd, 'Failed password') - before, 2);
  });

  const formats: [string, string[]][] = [
    ['Ed25519', ['-t', 'ed25519', '-N', '']],
    ['Ed25519 with a passphrase', ['-t', 'ed25519', '-N', 'open sesame']],
    ['RSA with a passphrase', ['-t', 'rsa', '-b', '2048', '-N', 'open sesame']],
    ['RSA in PEM', ['-t', 'rsa', '-b', '2048', '-N', '', '-m', 'PEM']],
    ['RSA in PEM with a passphrase', ['-t', 'rsa', '-b', '2048', '-N', 'open sesame', '-m', 'PEM']],
    ['RSA in PKCS#8 with a passphrase', ['-t', 'rsa', '-b', '2048', '-N', 'open sesame', '-m', 'PKCS8']],
    ['ECDSA with a passphrase', ['-t', 'ecdsa', '-b', '384', '-N', 'open sesame']],
    ['ECDSA in PKCS#8', ['-t', 'ecdsa', '-N', '', '-m', 'PKCS8']],
  ];
  for (const [name, args] of formats) {
    it(`[SES-2] logs in by private key: ${name}`, async () => {
      const privateKey = userKey(name.replaceAll(/\W/g, '-'), ...args);
      const passphrase = args.includes('open sesame') ? { passphrase: 'open sesame' } : {};
      const target = targetOf(sshd, { method: 'privateKey', privateKey, ...passphrase });
      assert.equal((await fresh().login(target)).fingerprint, sshd.fingerprint);
    });
  }

  it('[SES-2] reads an Ed25519 key in PKCS#8, which ssh2 does not', async () => {
    const file = join(sshd.dir, 'pkcs8');
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', file]);
    const privateKey = readFileSync(file, 'utf8');
    const der = execFileSync('openssl', ['pkey', '-in', file, '-pubout', '-outform', 'DER']);
    const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
    const blob = Buffer.concat([part(Buffer.from('ssh-ed25519')), part(der.subarray(-32))]);
    sshd.authorize(`ssh-ed25519 ${blob.toString('base64')} pkcs8\n`);
    const login = await fresh().login(targetOf(sshd, { method: 'privateKey', privateKey }));
    assert.equal(login.fingerprint, sshd.fingerprint);
  });

  it('says what is wrong with a private key, without asking the host', async () => {
    const privateKey = userKey('locked', '-t', 'ed25519', '-N', 'open sesame');
    const publicKey = readFileSync(join(sshd.dir, 'locked.pub'), 'utf8');
    const connections = times(sshd, 'Connection from');
    const cases: [string, string | undefined, RegExp][] = [
      [privateKey, undefined, /passphrase, which is missing/],
      [privateKey, 'wrong', /passphrase is wrong/],
      [publicKey, undefined, /public key/],
      ['nonsense', undefined, /format is not known/],
      ['nonsense', 'with a passphrase', /format is not known/],
      [privateKey.slice(0, 200), undefined, /format is not known/],
      ['', undefined, /format is not known/],
      ['x'.repeat(100_000), undefined, /format is not known/],
    ];
    const ssh = fresh();
    for (const [text, passphrase, detail] of cases) {
      const credential = {
        method: 'privateKey',
        privateKey: text,
        ...(passphrase ? { passphrase } : {}),
      } as const;
      await assert.rejects(ssh.login(targetOf(sshd, credential)), (error) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, 'invalid_key');
        assert.match(error.detail ?? '', detail);
        return true;
      });
    }
    assert.equal(times(sshd, 'Connection from'), connections);
    assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
  });

  it('lets nobody stop the process with a key that costs too much to unlock', async () => {
    const file = join(sshd.dir, 'costly');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-a', '1', '-f', file]);
    const [head = '', ...rest] = readFileSync(file, 'utf8').trim().split('\n');
    const blob = Buffer.from(rest.slice(0, -1).join(''), 'base64');
    // The rounds stand behind magic, cipher, kdf name and salt (openssh: PROTOCOL.key); make them four thousand million.
    const rounds = blob.indexOf(Buffer.from('bcrypt')) + 'bcrypt'.length + 4 + 4 + 16;
    assert.equal(blob.readUInt32BE(rounds), 1);
    blob.writeUInt32BE(0xffffffff, rounds);
    const privateKey = [head, blob.toString('base64'), ...rest.slice(-1)].join('\n');
    const ssh = fresh();
    const costly = ssh.login(targetOf(sshd, { method: 'privateKey', privateKey, passphrase: 'x' }));
    costly.catch(() => {});
    // Meanwhile everybody else is served.
    let longest = 0;
    for (let turn = 0; turn < 20; turn += 1) {
      const took = startStopwatch();
      await new Promise((resolve) => setTimeout(resolve, 10));
      longest = Math.max(longest, took());
    }
    assert.ok(longest < 300, `the event loop stood still for ${longest} ms`);
    await assert.rejects(costly, { code: 'invalid_key', detail: 'its passphrase protection is too costly' });
  });

  it('[SES-3] refuses a changed host key before any credential or user name is sent', async () => {
    const hostKeys = memoryHostKeys();
    hostKeys.pin(sshd.port, 'SHA256:somethingElse');
    const start = sshd.log().length;
    const ssh = fresh({ hostKeys });
    assert.equal(await codeOf(ssh.login(targetOf(sshd))), 'host_key_changed');
    const key = targetOf(sshd, { method: 'privateKey', privateKey: sshd.privateKey });
    assert.equal(await codeOf(ssh.run(key, ['id'])), 'host_key_changed');
    assert.equal(
      await codeOf(ssh.login({ ...targetOf(sshd), hostKey: 'SHA256:alsoWrong' })),
      'host_key_changed',
    );
    assert.equal(hostKeys.seen.length, 3);
    const log = sshd.log().slice(start);
    assert.doesNotMatch(log, new RegExp(`${SSHD_USER}|password|publickey`));
    assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
  });

  it('[SES-3] accepts no host key blindly while the pins cannot be read', async () => {
    const hostKeys = {
      check: async () => {
        throw new AppError('store_unavailable');
      },
    };
    const start = sshd.log().length;
    assert.equal(await codeOf(fresh({ hostKeys }).login(targetOf(sshd))), 'store_unavailable');
    assert.doesNotMatch(sshd.log().slice(start), new RegExp(SSHD_USER));
  });

  it('[SES-3] accepts the host key that the user expects, on a connection of its own', async () => {
    const ssh = fresh();
    const expected = { ...targetOf(sshd), hostKey: sshd.fingerprint };
    assert.equal((await ssh.login(expected)).fingerprint, sshd.fingerprint);
    assert.equal(await codeOf(ssh.run({ ...expected, hostKey: 'SHA256:other' }, ['id'])), 'host_key_changed');
  });

  it('tells an unreachable host', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    assert.ok(address !== null && typeof address === 'object');
    closed.close();
    await once(closed, 'close');
    assert.equal(await codeOf(fresh().login(targetOf(address))), 'host_unreachable');
    assert.equal(await codeOf(fresh().login(targetOf({ port: 70_000 }))), 'host_unreachable');
  });

  it('[SES-4] opens no connection to a host that is not allowed', async () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const ssh = fresh({ allowed: ['10.0.0.0/8'] });
      for (const host of [
        '127.0.0.1',
        '127.1',
        '0x7f.1',
        '2130706433',
        '::ffff:127.0.0.1',
        'localhost',
        '0',
        '[::1]',
      ]) {
        assert.equal(await codeOf(ssh.login({ ...targetOf(address), host })), 'host_not_allowed', host);
        assert.equal(
          await codeOf(ssh.exec({ ...targetOf(address), host }, ['id'])),
          'host_not_allowed',
          host,
        );
      }
      assert.equal(connections, 0);
    } finally {
      listener.close();
    }
  });

  it('ends a login when the pool stops', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      const ssh = fresh();
      const login = codeOf(ssh.login(targetOf(address)));
      await once(silent, 'connection');
      await Promise.all([ssh.stop(), ssh.stop()]);
      assert.equal(await login, 'ssh_closed');
      assert.equal(await codeOf(ssh.login(targetOf(address))), 'draining');
      assert.equal(await codeOf(ssh.run(targetOf(address), ['id'])), 'draining');
    } finally {
      silent.close();
    }
  });
});

describe('SSH login at hosts with other rules', () => {
  let sshd: Sshd | undefined;
  let pool: SshPool;

  before(function () {
    requirePart(this, 'sshd');
  });
  beforeEach(() => {
    pool = testPool();
  });
  afterEach(async () => {
    await pool.stop();
    await sshd?.stop();
    sshd = undefined;
  });

  it('[SES-2] answers the password prompt of keyboard-interactive, once', async () => {
    sshd = await startSshd({ keyboardInteractive: true });
    assert.equal((await pool.run(targetOf(sshd), ['id', '-un'])).stdout, `${SSHD_USER}\n`);
    assert.equal(await codeOf(pool.login(targetOf(sshd, WRONG))), 'auth_failed');
    assert.equal(times(sshd, 'PAM: Authentication failure'), 1);
  });

  it('says that a host asks for a second factor', async () => {
    sshd = await startSshd({ config: ['AuthenticationMethods publickey,password'] });
    const credential = { method: 'privateKey', privateKey: sshd.privateKey } as const;
    await assert.rejects(pool.login(targetOf(sshd, credential)), {
      code: 'auth_failed',
      detail: 'the host asks for a second factor',
    });
  });

  it('says that a sshd turns connections away', async () => {
    sshd = await startSshd({ config: ['MaxStartups 1:100:1'] });
    // A connection that never goes on after the greeting.
    const idler = createConnection(sshd.port, '127.0.0.1');
    await once(idler, 'data');
    assert.equal(await codeOf(pool.login(targetOf(sshd))), 'ssh_busy');
    idler.destroy();
  });
});
