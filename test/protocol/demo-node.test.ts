import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientChannel, Client as SshClient } from 'ssh2';
import { AppError } from '../../server/core/errors.ts';
import { createDemoNode, type DemoAccess, type DemoNode } from '../../server/demo/node.ts';
import { seededRandom } from '../../server/demo/random.ts';
import { createJournalReader, type JournalReader } from '../../server/logs/journal/reader.ts';
import type { JournalRecord } from '../../server/logs/journal/record.ts';
import { createSshPool } from '../../server/ssh/pool.ts';
import { createTargetPolicy } from '../../server/ssh/target-policy.ts';
import type { SshPool, SshTarget } from '../../server/ssh/types.ts';
import { createProber } from '../../server/status/prober.ts';
import { createRecordLogger } from '../support/record-logger.ts';
import { until } from '../support/until.ts';

/** Ten times as fast as life, so that live lines come soon. */
function createFastClock() {
  const start = Date.now();
  return { now: () => start + (Date.now() - start) * 10 };
}

describe('the demo node', () => {
  const logger = createRecordLogger();
  let node: DemoNode;
  let access: DemoAccess;
  let pool: SshPool;
  let reader: JournalReader;
  let target: SshTarget;
  const clients: SshClient[] = [];

  before(async () => {
    node = createDemoNode({ logger, clock: createFastClock(), random: seededRandom(5) });
    access = await node.start();
    pool = createSshPool({
      hostKeys: { check: async () => ({ firstSeen: new Date(0).toISOString(), pinned: true }) },
      targets: createTargetPolicy({ alwaysAllow: [access] }),
      logger,
    });
    reader = createJournalReader({ pool, logger });
    const { host, port, username, password } = access;
    target = { host, port, username, credential: { method: 'password', password } };
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  after(async () => {
    await pool?.stop();
    await node?.stop();
  });

  /** A bare SSH connection, for what the pool would never ask. */
  async function connect(options: { username?: string; password?: string } = {}): Promise<SshClient> {
    const client = new SshClient();
    clients.push(client);
    client.on('error', () => {});
    client.connect({ ...access, ...options, hostVerifier: () => true } as Parameters<
      SshClient['connect']
    >[0]);
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve);
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed')));
    });
    return client;
  }

  function open(client: SshClient, command: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
    });
  }

  async function readAll(query: Parameters<JournalReader['read']>[1]): Promise<JournalRecord[]> {
    const all: JournalRecord[] = [];
    for await (const records of reader.read(target, query, AbortSignal.timeout(60_000))) all.push(...records);
    return all;
  }

  it('[RUN-1] is reached through the same SSH code as a real host, and shows its host key', async () => {
    const key = await pool.login(target);
    assert.deepEqual(key.algorithm, 'ssh-ed25519');
    assert.equal(key.fingerprint, access.hostKey.fingerprint);
    assert.equal((await pool.run(target, ['cat', '/etc/machine-id'])).stdout.length, 33);
    const unknown = await pool.run(target, ['no such', 'program']);
    assert.equal(unknown.code, 127);
    assert.match(unknown.stderr, /no such: command not found/);
  });

  it('[RUN-1] lets the real journal reader page through history without a loss', async () => {
    const source = { unit: 'charon' };
    const newest = await readAll({ source, start: { lines: 500 } });
    assert.equal(newest.length, 500);
    const cursor = newest[100]?.cursor ?? '';
    const page = await readAll({ source, start: { cursor }, untilUs: newest[499]?.realtimeUs ?? 0 });
    assert.deepEqual(page.slice(0, 400), newest.slice(100));
    const older = await readAll({
      source,
      start: { lines: 100 },
      reverse: true,
      untilUs: newest[399]?.realtimeUs ?? 0,
    });
    assert.deepEqual(older.reverse(), newest.slice(300, 400));
    const since = await readAll({ source, start: { since: newest[490]?.realtimeUs ?? 0 } });
    assert.deepEqual(since.slice(0, 10), newest.slice(490));
  });

  it('[RUN-1] lets the real journal reader follow live, from a cursor and gapless', async () => {
    const source = { unit: 'execution' };
    const [last] = await readAll({ source, start: { lines: 1 } });
    const viewer = new AbortController();
    const seen: JournalRecord[] = [];
    const query = { source, start: { cursor: last?.cursor ?? '' }, follow: true };
    const reading = (async () => {
      for await (const records of reader.read(target, query, viewer.signal)) seen.push(...records);
    })();
    await until(() => seen.length >= 6);
    viewer.abort();
    await reading;
    assert.deepEqual(seen[0], last);
    const truth = await readAll({ source, start: { cursor: last?.cursor ?? '' } });
    assert.deepEqual(seen, truth.slice(0, seen.length));
    await until(() => pool.stats().channels === 0);
  });

  it('[RUN-1] lets the real prober ask for the units', async () => {
    const services = ['execution', 'consensus', 'validator', 'mevboost', 'charon', 'csm_nimbusvalidator'];
    const probe = createProber({ pool });
    const units = await probe(target, services, { signal: AbortSignal.timeout(60_000) });
    assert.deepEqual(
      units.map(({ service, client }) => [service, client]),
      [
        ['execution', 'geth'],
        ['consensus', 'lighthouse'],
        ['validator', 'lighthouse'],
        ['mevboost', 'mev-boost'],
        ['charon', 'charon'],
        ['csm_nimbusvalidator', undefined],
      ],
    );
    assert.equal(units[5]?.status, 'not_installed');
    const [execution] = units;
    assert.equal(execution?.status, 'active');
    assert.ok(
      (execution.pid ?? 0) > 1 && (execution.memoryBytes ?? 0) > 1e9 && (execution.cpuNsec ?? 0) > 1e9,
    );
    assert.ok(Date.parse(execution.since ?? '') < Date.now());
  });

  it('refuses wrong passwords and names', async () => {
    const wrong: SshTarget = { ...target, credential: { method: 'password', password: 'wrong' } };
    await assert.rejects(
      pool.login(wrong),
      (error) => error instanceof AppError && error.code === 'auth_failed',
    );
    await assert.rejects(connect({ username: 'root' }), /authentication methods failed/);
  });

  it('refuses shells, terminals, files and forwarding', async () => {
    const client = await connect();
    const refused = (start: (done: (error: Error | undefined) => void) => void) =>
      assert.rejects(
        new Promise<void>((resolve, reject) => start((error) => (error ? reject(error) : resolve()))),
      );
    await refused((done) => client.shell(false, done));
    await refused((done) => client.exec('true', { pty: true }, done));
    await refused((done) => client.sftp(done));
    await refused((done) => client.forwardIn('127.0.0.1', 0, done));
    await refused((done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, done));
    await refused((done) => client.openssh_forwardOutStreamLocal('/run/x', done));
    const channel = await open(client, 'true');
    channel.resume();
    assert.equal((await once(channel, 'exit'))[0], 0);
  });

  it('allows ten channels on a connection, like sshd, and frees them', async () => {
    const client = await connect();
    const channels: ClientChannel[] = [];
    for (let i = 0; i < 10; i++) channels.push(await open(client, 'journalctl -f'));
    await assert.rejects(open(client, 'true'), /Channel open failure/);
    const closed = channels.map((channel) => once(channel.resume(), 'close'));
    for (const channel of channels) channel.close();
    await Promise.all(closed);
    (await open(client, 'true')).close();
  });

  it('bounds the sockets it holds, silent ones too, and does not wait for them when it stops', async () => {
    const other = createDemoNode({ logger, random: seededRandom(6) });
    const { host, port } = await other.start();
    const open = async () => {
      const socket = createConnection({ host, port });
      socket.on('error', () => {});
      await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      return socket;
    };
    const sockets = [];
    for (let i = 0; i < 33; i++) sockets.push(await open());
    assert.deepEqual(
      sockets.map((socket) => socket.destroyed || socket.readableEnded),
      [...Array.from({ length: 32 }, () => false), true],
    );
    const closed = sockets.slice(0, 32).map((socket) => once(socket, 'close'));
    await other.stop();
    await Promise.all(closed);
  });

  it('holds back for a reader that stops, without delaying others', async () => {
    const client = await connect();
    const stuck = await open(client, 'journalctl -o json --all');
    await once(stuck, 'readable');
    const before = process.memoryUsage().arrayBuffers;
    const quick = await open(client, 'journalctl -o cat -n 5');
    let lines = '';
    quick.on('data', (chunk: Buffer) => {
      lines += chunk.toString();
    });
    await once(quick, 'close');
    assert.equal(lines.split('\n').length, 6);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
    let entries = 0;
    stuck.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) entries++;
    });
    stuck.resume();
    const [[code]] = (await Promise.all([once(stuck, 'exit'), once(stuck, 'close')])) as [[number], unknown];
    assert.equal(code, 0);
    assert.ok(entries > 15_000, `${entries} entries`);
  });

  it('answers the OpenSSH client', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'demo-node-'));
    try {
      const askPass = join(folder, 'askpass');
      await writeFile(askPass, `#!/bin/sh\necho '${access.password}'\n`);
      await chmod(askPass, 0o700);
      const known = `UserKnownHostsFile=${join(folder, 'known_hosts')}`;
      const options = [
        'StrictHostKeyChecking=accept-new',
        known,
        'LogLevel=ERROR',
        'PreferredAuthentications=password',
      ];
      const words = options.flatMap((option) => ['-o', option]);
      const login = ['-F', 'none', '-p', String(access.port), `${access.username}@${access.host}`];
      const ssh = spawn('ssh', [...words, ...login, "journalctl -u execution --output='cat' -n 3"], {
        env: { PATH: process.env.PATH, SSH_ASKPASS: askPass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      ssh.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      const [code] = (await once(ssh, 'close')) as [number];
      assert.equal(code, 0);
      assert.match(output, /^(INFO |WARN |ERROR)\[/);
      assert.equal(output.split('\n').length, 4);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has a new password and host key at each start, and stops with everything it holds, twice', async () => {
    const other = createDemoNode({ logger, random: seededRandom(6) });
    const [once1, once2] = await Promise.all([other.start(), other.start()]);
    assert.equal(once1, once2);
    assert.notEqual(once1.password, access.password);
    assert.notEqual(once1.hostKey.fingerprint, access.hostKey.fingerprint);
    const client = await connect(once1);
    const channel = await open(client, 'journalctl -f');
    const closed = Promise.all([once(channel.resume(), 'close'), once(client, 'close')]);
    await Promise.all([other.stop(), other.stop()]);
    await closed;
    await assert.rejects(connect(once1), /ECONNREFUSED/);
    await assert.rejects(other.start(), /stopped/);
    assert.ok(!logger.lines.some((line) => line.includes(once1.password)), 'no password in the log');
  });
});
