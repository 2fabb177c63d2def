import assert from 'node:assert/strict';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

describe('logins to a real host', () => {
  let lab: TestLab;
  let host: TestHost;
  let server: TestServer;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    lab = await useLab();
    [host] = lab.hosts;
  });
  beforeEach(async () => {
    server = await startServer({ SSH_ALLOWED_HOSTS: lab.subnet });
  });
  afterEach(() => server.stop());
  after(() => lab?.release());

  const at = () => ({ host: host.address, port: host.port });
  const asUser = (password: string) => ({ ...at(), username: 'ethnode', authMethod: 'password', password });

  /** Status and error code of a login that must fail. */
  async function refused(body: object): Promise<string> {
    const response = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { error } = (await response.json()) as { error: { code: string; hint: string; requestId: string } };
    assert.ok(error.hint && error.requestId);
    return `${response.status} ${error.code}`;
  }

  it('[SES-2] by password: token, expiry, host key and cookie', async () => {
    const response = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(asUser(host.users.ethnode.password)),
    });
    assert.equal(response.status, 201);
    const answer = (await response.json()) as Record<string, unknown>;
    assert.equal(answer.host, host.address);
    assert.equal(answer.username, 'ethnode');
    assert.deepEqual((answer.hostKey as { fingerprint: string }).fingerprint, host.hostKeyFingerprint);
    assert.ok(Date.parse(String(answer.expiresAt)) > Date.now());
    const cookie = response.headers.get('set-cookie') ?? '';
    assert.match(cookie, /^ssh_session=/);
    assert.match(cookie, /HttpOnly/i);
    assert.match(cookie, /SameSite=Lax/i);

    const bearer = { authorization: `Bearer ${answer.token}` };
    const session = await (await fetch(`${server.url}/api/session`, { headers: bearer })).json();
    assert.equal((session as { host: string }).host, host.address);
    const logout = await fetch(`${server.url}/api/session`, { method: 'DELETE', headers: bearer });
    assert.equal(logout.status, 204);
    assert.equal((await fetch(`${server.url}/api/session`, { headers: bearer })).status, 401);
  });

  it('[SES-2] by private key, and by a password that sshd asks for interactively', async () => {
    const key = { ...at(), username: 'ethnode', authMethod: 'privateKey', privateKey: host.privateKey };
    assert.ok((await server.login(key)).token);
    const { username, password } = host.users.interactive;
    assert.ok((await server.login({ ...at(), username, authMethod: 'password', password })).token);
  });

  it('[SES-2] a private key that cannot be read is told apart from a refused one', async () => {
    const key = { ...at(), username: 'ethnode', authMethod: 'privateKey' };
    assert.equal(await refused({ ...key, privateKey: 'no key at all' }), '400 invalid_key');
  });

  it('[SES-4] refused, unreachable and forbidden hosts answer with their codes', async function () {
    this.timeout(40_000);
    const free = host.address.replace(/\.\d+$/, '.250');
    // At once: each of them takes its time, so that the time says nothing.
    const answers = await Promise.all([
      refused(asUser('wrong')),
      refused({ ...asUser('x'), host: free }),
      refused({ ...asUser('x'), host: '127.0.0.1' }),
      refused({ ...asUser('x'), host: 'localhost' }),
    ]);
    assert.deepEqual(answers, [
      '401 auth_failed',
      '502 host_unreachable',
      '403 host_not_allowed',
      '403 host_not_allowed',
    ]);
  });

  it('[HTTP-2] malformed requests are answered clearly', async () => {
    assert.equal(await refused({ ...asUser('x'), port: 'ssh' }), '400 invalid_request');
    assert.equal(await refused({ host: 5 }), '400 invalid_request');
    const broken = await fetch(`${server.url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"host":',
    });
    assert.equal(broken.status, 400);
  });

  it('[SES-3] a changed host key is refused before any credential is sent', async function () {
    this.timeout(40_000);
    const { password } = host.users.ethnode;
    await server.login(asUser(password));
    await host.changeHostKey();
    const since = `@${Date.now() / 1000}`;
    assert.equal(await refused(asUser(password)), '409 host_key_changed');
    const told = await host.exec([
      'journalctl',
      '--no-pager',
      '--output=cat',
      `--since=${since}`,
      '--unit=ssh',
    ]);
    assert.doesNotMatch(told.stdout, /Accepted|Failed password/);
    // With the new fingerprint in hand the user may go on.
    const known = { ...asUser(password), hostKey: host.hostKeyFingerprint };
    assert.ok((await server.login(known)).token);
  });

  describe('[LOG-7] the journal is read', () => {
    async function subscribe(user: keyof TestHost['users']) {
      const { token } = await server.loginTo(host, user);
      const socket = server.client({ auth: { token } });
      const lines: string[] = [];
      socket.on('log_data', ({ line }) => lines.push(line));
      socket.connect();
      const answer = await socket.emitWithAck('subscribe_logs', { service: 'consensus' });
      return { answer, lines };
    }

    before(async () => {
      // A user with a journal of his own gets no word from journalctl about the one that he may not read.
      for (const user of ['nojournal', 'sudoer', 'asksudo']) {
        await host.exec(['runuser', '-u', user, '--', 'logger', 'a line of my own']);
      }
    });

    it('by a member of systemd-journal as himself', async () => {
      const { answer, lines } = await subscribe('ethnode');
      assert.equal(answer.ok, true);
      await host.log('consensus', ['for a member']);
      await until(() => lines.includes('for a member'));
      assert.equal(host.countProcesses(/sudo/), 0);
    });

    it('through sudo by who may do that without a password', async () => {
      const { answer, lines } = await subscribe('sudoer');
      assert.equal(answer.ok, true);
      await host.log('consensus', ['for a sudoer']);
      await until(() => lines.includes('for a sudoer'));
    });

    for (const user of ['nojournal', 'asksudo'] as const) {
      it(`not at all by ${user}: a clear error at once, no waiting for a password`, async () => {
        const elapsed = startStopwatch();
        const { answer } = await subscribe(user);
        assert.ok(!answer.ok);
        assert.equal(answer.error.code, 'journal_permission');
        assert.ok(elapsed() < 5000);
      });
    }
  });
});
