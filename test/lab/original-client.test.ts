import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { LAB_TIMEOUT_MS, type TestHost, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** Behaves as the hooks of the original front end do: nothing here knows what Tailwire added. */
describe('an original EthPillar client', () => {
  let lab: TestLab;
  let host: TestHost;
  let redis: RedisServer;
  let server: TestServer;
  const sockets: Socket[] = [];

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    lab = await useLab();
    [host] = lab.hosts;
    redis = await startRedis();
    server = await startServer({
      REDIS_URL: redis.url,
      FRONTEND_URL: 'http://localhost:3000',
      SSH_ALLOWED_HOSTS: lab.subnet,
    });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
  after(async () => {
    await server?.stop();
    await redis?.stop();
    await lab?.release();
  });

  /** What the original Next.js app writes at a login. */
  async function originalLogin(password = host.users.ethnode.password): Promise<string> {
    const token = randomUUID();
    const session = {
      host: host.address,
      username: 'ethnode',
      password,
      port: host.port,
      lastAccessed: Date.now(),
    };
    await redis.cli('SETEX', `ssh_session:${token}`, '10200', JSON.stringify(session));
    return token;
  }

  function connect(options: {
    cookie?: string;
    auth?: string;
    transports?: ('websocket' | 'polling')[];
  }): Socket {
    const headers = {
      origin: 'http://localhost:3000',
      ...(options.cookie ? { cookie: `theme=dark; ssh_session=${options.cookie}` } : {}),
    };
    const socket = io(server.url, {
      path: '/',
      addTrailingSlash: false,
      forceNew: true,
      reconnection: false,
      transports: options.transports ?? ['websocket', 'polling'],
      withCredentials: true,
      extraHeaders: headers,
      ...(options.auth ? { auth: { token: options.auth } } : {}),
    });
    sockets.push(socket);
    return socket;
  }

  async function authenticate(socket: Socket, token: string): Promise<boolean> {
    await until(() => socket.connected);
    return new Promise((resolve) => socket.emit('authenticate', token, resolve));
  }

  it('[SES-1] [SIO-1] logs and status come for a session written by the original app', async function () {
    this.timeout(30_000);
    const token = await originalLogin();
    const socket = connect({ cookie: token, auth: token });
    const lines: { service: string; line: string }[] = [];
    let statuses: { service: string; status: string }[] = [];
    let authenticated = 0;
    socket.on('authenticated', () => {
      authenticated += 1;
    });
    socket.on('log_data', (data) => lines.push(data));
    socket.on('status_update', (list) => {
      statuses = list;
    });
    assert.equal(await authenticate(socket, token), true);
    assert.equal(authenticated, 1);
    socket.emit('subscribe_logs', { service: 'execution' });
    socket.emit('subscribe_status', { interval: 5000 });
    await until(() => statuses.length > 0, 10_000);
    await host.log('execution', ['for an original client']);
    await until(() =>
      lines.some(({ service, line }) => service === 'execution' && line === 'for an original client'),
    );

    const words = Object.fromEntries(statuses.map(({ service, status }) => [service, status]));
    assert.equal(words.execution, 'active');
    assert.equal(words.consensus, 'active');
    assert.equal(words.validator, 'active');
    assert.equal(words.mevboost, 'not_installed');
    assert.equal(words.charon, 'failed');
  });

  it('[SES-1] the session is left as it is, and its life is renewed by use', async () => {
    const token = await originalLogin();
    const key = `ssh_session:${token}`;
    const written = await redis.cli('GET', key);
    await redis.cli('EXPIRE', key, '500');
    const socket = connect({ auth: token });
    await until(() => socket.connected);
    assert.equal(await redis.cli('GET', key), written);
    assert.ok(Number(await redis.cli('TTL', key)) > 10_000);
  });

  it('[SIO-1] connects without a token, authenticates by the event, and is told no by ack(false)', async () => {
    const socket = connect({ transports: ['polling'] });
    const errors: string[] = [];
    socket.on('error', ({ message }) => errors.push(message));
    assert.equal(await authenticate(socket, randomUUID()), false);
    assert.deepEqual(errors, ['Invalid or expired session']);
    assert.equal(await authenticate(socket, await originalLogin()), true);
    assert.equal(await authenticate(socket, await originalLogin()), false);
    assert.equal(errors.at(-1), 'Authentication token mismatch.');
    assert.equal(socket.connected, true);
  });

  it('[SIO-1] a dead token refuses the connection, unless another one is valid', async () => {
    const refused = connect({ auth: randomUUID() });
    const message = await new Promise<string>((resolve) => {
      refused.on('connect_error', (error) => resolve(error.message));
    });
    assert.equal(message, 'Authentication error: Invalid or expired session.');

    const rescued = connect({ cookie: randomUUID(), auth: await originalLogin() });
    await new Promise<void>((resolve) => {
      rescued.on('authenticated', () => resolve());
    });
  });

  it('[SIO-7] an event before authentication is answered with the original text', async () => {
    const socket = connect({});
    const errors: string[] = [];
    socket.on('error', ({ message }) => errors.push(message));
    await until(() => socket.connected);
    socket.emit('subscribe_logs', { service: 'execution' });
    socket.emit('subscribe_status', {});
    await until(() => errors.length === 2);
    assert.deepEqual(errors, ['Not authenticated.', 'Not authenticated.']);
  });

  it('[SIO-8] a logout of the original app, which deletes the key, ends the sockets within a second', async () => {
    const token = await originalLogin();
    const socket = connect({ auth: token });
    let reason = '';
    socket.on('session_ended', (end) => {
      reason = end.reason;
    });
    await new Promise<void>((resolve) => {
      socket.on('authenticated', () => resolve());
    });
    await redis.cli('DEL', `ssh_session:${token}`);
    await until(() => reason === 'logout' && !socket.connected, 1000);
  });
});
