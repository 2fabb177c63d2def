import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ErrorPayload } from '../../shared/errors.ts';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { type ClientSocket, startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

describe('sessions of a real host in hostile hands', () => {
  let lab: TestLab;
  let host: TestHost;
  let redis: RedisServer;
  let servers: [TestServer, TestServer];

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    lab = await useLab();
    [host] = lab.hosts;
    redis = await startRedis();
    const env = { REDIS_URL: redis.url, SESSION_SECRET: 's'.repeat(40), SSH_ALLOWED_HOSTS: lab.subnet };
    servers = [await startServer(env), await startServer(env)];
  });
  after(async () => {
    await Promise.all((servers ?? []).map((server) => server.stop()));
    await redis?.stop();
    await lab?.release();
  });

  /** A session as an original app writes it. */
  async function plainSession(username: string, password: string): Promise<string> {
    const token = randomUUID();
    const session = { host: host.address, port: host.port, username, password, lastAccessed: Date.now() };
    await redis.cli('SET', `ssh_session:${token}`, JSON.stringify(session), 'EX', '10200');
    return token;
  }

  async function connect(server: TestServer, token: string) {
    const socket = server.client({ auth: { token } });
    const lines: string[] = [];
    const others: string[] = [];
    const errors: ErrorPayload[] = [];
    socket.onAny((event: string, payload: unknown) => {
      if (event === 'error') errors.push(payload as ErrorPayload);
      else if (event === 'log_data') lines.push((payload as { line: string }).line);
      else if (event !== 'authenticated') others.push(event);
    });
    socket.connect();
    await until(() => socket.connected);
    return { socket, lines, others, errors };
  }

  const subscribe = (socket: ClientSocket) =>
    socket.timeout(20_000).emitWithAck('subscribe_logs', { service: 'execution', tail: 5 });

  it('[LOG-6] [S11] the right host and user with a wrong password see nothing of a stream that runs', async () => {
    const { token } = await servers[0].loginTo(host);
    const owner = await connect(servers[0], token);
    assert.ok((await subscribe(owner.socket)).ok);
    const status = owner.socket.emitWithAck('subscribe_status', {});
    assert.ok((await status).ok);
    const wrong = await plainSession(host.users.ethnode.username, 'wrong password');
    for (const server of servers) {
      const thief = await connect(server, wrong);
      const { socket } = thief;
      const answers = await Promise.all([
        subscribe(socket),
        socket.emitWithAck('log_history', { service: 'execution' }),
        socket.emitWithAck('subscribe_status', {}),
      ]);
      for (const answer of answers) assert.ok(!answer.ok && answer.error.code === 'auth_failed');
      const headers = { authorization: `Bearer ${wrong}` };
      assert.equal((await fetch(`${server.url}/api/logs/execution`, { headers })).status, 401);
      await host.log('execution', ['a secret line']);
      await until(() => owner.lines.includes('a secret line'));
      assert.deepEqual(thief.lines, []);
      assert.deepEqual(thief.others, []);
      assert.equal((await subscribe(socket)).ok, false);
      socket.disconnect();
    }
    owner.socket.disconnect();
  }).timeout(60_000);

  it('[LOG-6] another user of the same host sees nothing of it, and gets no place in it by its positions', async () => {
    const { token } = await servers[0].loginTo(host);
    const owner = await connect(servers[0], token);
    const ids: string[] = [];
    owner.socket.on('log_data', ({ id }) => ids.push(id));
    assert.ok((await subscribe(owner.socket)).ok);
    await until(() => ids.length > 0);
    const { token: otherToken } = await servers[1].loginTo(host, 'nojournal');
    const other = await connect(servers[1], otherToken);
    const foreign = await other.socket.emitWithAck('subscribe_logs', {
      service: 'execution',
      after: ids[0] ?? '',
    });
    assert.ok(!foreign.ok && foreign.error.code === 'invalid_position');
    const own = await subscribe(other.socket);
    assert.ok(!own.ok && own.error.code === 'journal_permission');
    await host.log('execution', ['not for everybody']);
    await until(() => owner.lines.includes('not for everybody'));
    assert.deepEqual(other.lines, []);
    owner.socket.disconnect();
    other.socket.disconnect();
  }).timeout(60_000);

  it('[SIO-8] [S11] nothing is delivered 1 s after a logout, on any instance, and others go on', async () => {
    const { token } = await servers[0].loginTo(host);
    const { token: stays } = await servers[0].loginTo(host);
    const ended = await Promise.all(servers.map((server) => connect(server, token)));
    const staying = await connect(servers[1], stays);
    for (const { socket } of [...ended, staying]) assert.ok((await subscribe(socket)).ok);
    const headers = { authorization: `Bearer ${token}` };
    const production = host.produce('execution', { rate: 100, count: 300, prefix: 'logout ' });
    await until(() => ended.every(({ lines }) => lines.some((line) => line.startsWith('logout '))));
    await fetch(`${servers[0].url}/api/session`, { method: 'DELETE', headers });
    await until(() => ended.every(({ socket }) => !socket.connected), 1000);
    assert.ok(ended.every(({ others }) => others.includes('session_ended')));
    const seen = ended.map(({ lines }) => lines.length);
    await production;
    await until(() => staying.lines.includes('logout seq=300'));
    assert.deepEqual(
      ended.map(({ lines }) => lines.length),
      seen,
    );
    for (const server of servers) {
      assert.equal((await fetch(`${server.url}/api/session`, { headers })).status, 401);
      const late = server.client({ auth: { token }, reconnection: false });
      const refused = new Promise((resolve) => late.once('connect_error', resolve));
      late.connect();
      await refused;
    }
    staying.socket.disconnect();
  }).timeout(60_000);

  it('[LOG-6] nobody gets in while Redis is away, whatever was proven before', async () => {
    const { token } = await servers[0].loginTo(host);
    const wrong = await plainSession(host.users.ethnode.username, 'wrong password');
    const owner = await connect(servers[0], token);
    assert.ok((await subscribe(owner.socket)).ok);
    const thief = await connect(servers[0], wrong);
    redis.freeze();
    try {
      const answer = await subscribe(thief.socket);
      assert.equal(answer.ok, false);
      assert.deepEqual(thief.lines, []);
    } finally {
      redis.thaw();
    }
    owner.socket.disconnect();
    thief.socket.disconnect();
  }).timeout(60_000);

  it('[SIO-9] [S9] what runs on the host is the template, whatever clients send', async () => {
    const { token } = await servers[0].loginTo(host);
    const { socket } = await connect(servers[0], token);
    const hostile = [
      '; touch /tmp/owned',
      '$(touch /tmp/owned)',
      '`touch /tmp/owned`',
      "'; touch /tmp/owned; '",
      '\ntouch /tmp/owned\n',
      '--vacuum-size=1',
      '-D/',
      '*',
      'a\u0000b',
      '\u202e',
      '%n',
      '~root',
      '../../etc/passwd',
    ];
    // In front of journalctl stands a script that writes down how it is called.
    const script =
      '#!/bin/sh\nprintf \'%s\\0\' "journalctl $*" >> /tmp/asked\nexec /usr/bin/journalctl "$@"\n';
    const put =
      'cat > /usr/local/bin/journalctl && chmod 755 /usr/local/bin/journalctl && umask 0 && : > /tmp/asked';
    await host.exec(['/bin/sh', '-c', put], { input: script });
    const seen = new Set<string>();
    const watching = setInterval(() => {
      for (const { command } of host.processes(/journalctl|systemctl|touch/)) seen.add(command);
    }, 10);
    const ask = (event: string, payload: object) =>
      (socket as unknown as { emitWithAck(event: string, payload: object): Promise<unknown> }).emitWithAck(
        event,
        payload,
      );
    try {
      for (const text of hostile) {
        await ask('subscribe_logs', { service: text });
        await ask('log_history', { service: `execution${text}` });
        await ask('log_history', { service: 'execution', since: text, until: text });
        await ask('log_history', { service: 'execution', before: text, after: text });
        await ask('log_history', { service: 'execution', grep: text, level: text });
        await ask('log_history', { service: 'execution', grep: text, limit: 1 });
        const query = new URLSearchParams({ grep: text });
        const headers = { authorization: `Bearer ${token}` };
        await (await fetch(`${servers[0].url}/api/logs/execution?${query}`, { headers })).text();
      }
      const { stdout } = await host.exec(['cat', '/tmp/asked']);
      const asked = stdout.split('\0').filter(Boolean);
      assert.ok(asked.length > hostile.length, `${asked.length} calls`);
      for (const command of asked) seen.add(command);
    } finally {
      clearInterval(watching);
      socket.disconnect();
      await host.exec(['rm', '-f', '/usr/local/bin/journalctl', '/tmp/asked']);
    }
    const template =
      /^journalctl --no-pager --output=export --output-fields=[A-Z_,]+ --unit=execution\.service(?: --(?:follow|no-tail|reverse|lines=\d+|since=@[\d.]+|until=@[\d.]+|cursor=[A-Za-z0-9=;:._-]+))*$/;
    const others = [...seen].filter(
      (command) =>
        command.includes('touch') ||
        (/^journalctl .*execution/.test(command) && !template.test(command)) ||
        hostile.some((text) => text.length > 2 && command.includes(text)),
    );
    assert.deepEqual(others, []);
    assert.equal((await host.exec(['test', '-e', '/tmp/owned'], { allowFailure: true })).code, 1);
  }).timeout(60_000);
});
