import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { ErrorPayload } from '../../shared/errors.ts';
import { type ClientSocket, startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

describe('the Socket.IO gateway and what it is not made for', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ AUTH_TIMEOUT: '1', MESSAGE_RATE: '20', MAX_PAYLOAD_BYTES: '65536' });
    ({ token } = await server.login({ demo: true }));
  });
  after(() => server.stop());

  async function connect(options: Parameters<TestServer['client']>[0] = { auth: { token } }) {
    const socket = server.client(options);
    const errors: ErrorPayload[] = [];
    socket.on('error', (error) => errors.push(error));
    socket.connect();
    await until(() => socket.connected);
    return { socket, errors };
  }

  /** Sends an event that the types would not allow, with an ack. */
  const ask = (socket: ClientSocket, event: string, ...args: unknown[]) =>
    (socket as unknown as { emitWithAck(event: string, ...args: unknown[]): Promise<unknown> }).emitWithAck(
      event,
      ...args,
    );

  const wrong: [string, unknown[]][] = [
    ['subscribe_logs', []],
    ['subscribe_logs', [null]],
    ['subscribe_logs', ['execution']],
    ['subscribe_logs', [{ service: 7 }]],
    ['subscribe_logs', [{ service: 'execution', tail: -1 }]],
    ['subscribe_logs', [{ service: 'execution', tail: 1e9 }]],
    ['subscribe_logs', [{ service: 'execution', level: 'loud' }]],
    ['log_history', [{ service: 'execution', limit: 100_000 }]],
    ['log_history', [{ service: 'execution', since: 'yesterday-ish' }]],
    ['log_history', [{ service: 'execution', since: '1900-01-01T00:00:00Z' }]],
    ['log_history', [{ service: 'execution', until: 8.64e15 }]],
    ['subscribe_status', [{ interval: 'often' }]],
    ['unsubscribe_logs', [[]]],
  ];
  for (const [event, args] of wrong) {
    it(`[SIO-7] ${event} ${JSON.stringify(args)} is answered by error and ack, and the connection stays`, async () => {
      const { socket, errors } = await connect();
      const answer = (await ask(socket, event, ...args)) as { ok: boolean; error: ErrorPayload };
      assert.equal(answer.ok, false);
      assert.equal(answer.error.code, 'invalid_request');
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['invalid_request'],
      );
      assert.equal(socket.connected, true);
      socket.disconnect();
    });
  }

  for (const service of [
    '*',
    'exec*',
    'a;b',
    'a b',
    'a\nb',
    '-f',
    '$(id)',
    "'",
    '',
    'sshd',
    '../x',
    'execution.service.service',
  ]) {
    it(`[SIO-9] the unit name ${JSON.stringify(service)} is invalid_service`, async () => {
      const { socket, errors } = await connect();
      const answer = (await ask(socket, 'subscribe_logs', { service })) as { error: ErrorPayload };
      assert.equal(answer.error.code, 'invalid_service');
      assert.equal(errors[0]?.code, 'invalid_service');
      socket.disconnect();
    });
  }

  it('[SIO-7] an unknown event and a malformed packet are errors, not disconnects', async () => {
    const { socket, errors } = await connect();
    void ask(socket, 'become_root');
    await until(() => errors.length === 1);
    assert.equal(errors[0]?.code, 'unknown_event');
    const engine = socket.io.engine as unknown as { write(data: string): void };
    engine.write('2["subscribe_logs",{"service":');
    await until(() => errors.length === 2);
    assert.equal(errors[1]?.code, 'invalid_request');
    assert.equal(socket.connected, true);
    socket.disconnect();
  });

  it('[SIO-1] the cookie that a connection came with counts at each of its CONNECTs', async () => {
    const url = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, { headers: { cookie: `theme=dark; ssh_session=${token}` } });
    let logins = 0;
    socket.on('message', (data) => {
      if (String(data).startsWith('42["authenticated"')) logins += 1;
    });
    await once(socket, 'open');
    socket.send('40');
    await until(() => logins === 1);
    socket.send('41');
    // Where the goodbye is not done with yet, the next CONNECT would be one too many.
    socket.ping();
    await once(socket, 'pong');
    socket.send('40');
    await until(() => logins === 2);
    socket.terminate();
  });

  it('[SIO-5] an invalid pattern says what is wrong with it', async () => {
    const { socket } = await connect();
    const answer = await socket.emitWithAck('log_history', { service: 'execution', grep: '(' });
    assert.ok(!answer.ok);
    assert.equal(answer.error.code, 'invalid_pattern');
    assert.match(answer.error.message, /missing/);
    socket.disconnect();
  });

  it('[SIO-4] a forged, truncated or foreign position is invalid_position', async () => {
    const { socket } = await connect();
    const page = await socket.emitWithAck('log_history', { service: 'execution', limit: 1 });
    assert.ok(page.ok);
    const id = page.entries[0]?.id ?? '';
    assert.ok(id);
    const other = id.startsWith('A') ? 'B' : 'A';
    for (const after of [id.slice(0, -1), other + id.slice(1), 'x', `${id}A`]) {
      const answer = await socket.emitWithAck('subscribe_logs', { service: 'execution', after });
      assert.ok(!answer.ok && answer.error.code === 'invalid_position', after);
    }
    const foreign = await socket.emitWithAck('subscribe_logs', { service: 'consensus', after: id });
    assert.ok(!foreign.ok && foreign.error.code === 'invalid_position');
    socket.disconnect();
  });

  it('[SIO-1] without authentication the connection ends after AUTH_TIMEOUT, and the client learns why', async () => {
    const { socket, errors } = await connect({});
    await until(() => !socket.connected, 3000);
    assert.equal(errors[0]?.code, 'auth_timeout');
  });

  it('[WS-5] too many messages are an error first, and then the end', async () => {
    const { socket, errors } = await connect();
    for (let n = 0; n < 45; n++) socket.emit('unsubscribe_status');
    await until(() => errors.some(({ code }) => code === 'rate_limited'));
    assert.equal(socket.connected, true);
    for (let n = 0; n < 100; n++) socket.emit('unsubscribe_status');
    await until(() => !socket.connected);
  });

  it('[WS-5] [SIO-7] whoever waits for the answer to an event above MESSAGE_RATE is told that it was refused', async () => {
    const { socket, errors } = await connect();
    const answers = await Promise.all(
      Array.from({ length: 75 }, () => socket.timeout(20_000).emitWithAck('leave_room', { room: 'r' })),
    );
    const refused = answers.filter((answer) => !answer.ok && answer.error.code === 'rate_limited');
    assert.equal(answers.filter(({ ok }) => ok).length + refused.length, 75);
    assert.ok(refused.length > 0 && refused.length <= 35, `${refused.length} refused`);
    assert.equal(errors.filter(({ code }) => code === 'rate_limited').length, 1);
    assert.equal(socket.connected, true);
  });

  it('[WS-5] a packet over MAX_PAYLOAD_BYTES ends only its own connection', async () => {
    const other = await connect();
    const { socket } = await connect();
    socket.emit('authenticate', 'x'.repeat(70_000));
    await until(() => !socket.connected);
    assert.equal(other.socket.connected, true);
    other.socket.disconnect();
  });

  for (const origin of ['null', 'https://evil.example', 'http://localhost:3000.evil.example']) {
    it(`[WS-5] a page from ${origin} gets no connection, by either transport`, async () => {
      for (const transport of ['websocket', 'polling'] as const) {
        const socket = server.client({ auth: { token }, transports: [transport], extraHeaders: { origin } });
        const failed = new Promise<boolean>((resolve) => {
          socket.on('connect_error', () => resolve(true));
          socket.on('connect', () => resolve(false));
        });
        socket.connect();
        assert.equal(await failed, true);
        socket.disconnect();
      }
    });
  }

  it('[SIO-8] a logout over HTTP ends the sockets of the session', async () => {
    const own = await server.login({ demo: true });
    const { socket } = await connect({ auth: { token: own.token } });
    let reason = '';
    socket.on('session_ended', (end) => {
      reason = end.reason;
    });
    await fetch(`${server.url}/api/session`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${own.token}` },
    });
    await until(() => reason === 'logout' && !socket.connected, 1000);
  });

  it('[RUN-5] a stop tells clients to come back elsewhere before it disconnects them', async () => {
    const own = await startServer();
    const login = await own.login({ demo: true });
    const socket = own.client({ auth: { token: login.token } });
    let reconnectInMs = -1;
    socket.on('server_draining', (notice) => {
      reconnectInMs = notice.reconnectInMs;
    });
    socket.connect();
    await until(() => socket.connected);
    await own.stop();
    await until(() => !socket.connected);
    assert.ok(reconnectInMs >= 0 && reconnectInMs <= 10_000);
  });
});
