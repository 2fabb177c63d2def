import assert from 'node:assert/strict';
import { createGatewayClient, type GatewayClient, type GatewayOptions } from '../../client/gateway.ts';
import type { LogItem } from '../../client/log-item.ts';
import type { LogStream } from '../../client/log-stream.ts';
import { createLogView } from '../../client/log-view.ts';
import { type FakeGateway, startFakeGateway } from '../support/fake-gateway.ts';
import { until } from '../support/until.ts';

const FAST = { baseMs: 20, maxMs: 60 };
const show = (items: readonly LogItem[]) =>
  items.map((item) => (item.kind === 'line' ? item.line : `gap: ${item.reason}`));

describe('gateway client', () => {
  let gateway: FakeGateway;
  let client: GatewayClient;
  let releases: (() => void)[] = [];

  beforeEach(async () => {
    gateway = await startFakeGateway();
    releases = [];
    client = connect();
  });
  afterEach(async () => {
    for (const release of releases) release();
    client.close();
    await gateway.stop();
  });

  function connect(options: Partial<GatewayOptions> = {}): GatewayClient {
    return createGatewayClient({ url: gateway.url, token: 't', backoff: FAST, lingerMs: 60, ...options });
  }
  function watch(service: string): LogStream {
    const stream = client.logs(service);
    releases.push(stream.subscribe(() => {}));
    return stream;
  }
  const shown = (stream: LogStream) => show(stream.get().items);

  it('does nothing until something is used, then opens one connection for all', async () => {
    assert.equal(client.getState().status, 'idle');
    client.logs('execution');
    assert.equal(client.getState().status, 'idle');
    gateway.write('execution', 'a');
    const stream = watch('execution');
    watch('consensus');
    releases.push(
      client.status.subscribe(() => {}),
      client.retain(),
    );
    assert.equal(client.getState().status, 'connecting');
    await until(() => stream.get().items.length === 1);
    await until(() => gateway.received.length === 3);
    assert.equal(gateway.accepted, 1);
    assert.equal(client.getState().session?.host, 'node-1.example');
    assert.equal(client.getState().transport, 'websocket');
    assert.equal(client.logs('execution.service'), stream);
  });

  it('[SIO-4] resumes behind the last id after each lost connection: nothing lost, nothing twice', async () => {
    const stream = watch('execution');
    await until(() => stream.get().status === 'live');
    const expected: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      for (let n = 0; n < 5; n += 1) {
        const line = `line ${round}.${n}`;
        expected.push(line);
        gateway.write('execution', line);
        if (n === 2) gateway.cut();
      }
      await until(() => gateway.accepted === round + 2);
    }
    await until(() => stream.get().items.length >= expected.length);
    assert.deepEqual(shown(stream), expected);
    assert.ok(
      gateway.received.slice(1).every((line) => /^subscribe_logs execution after=.* batch$/.test(line)),
    );
  });

  it('[SIO-4] shows a gap where the gateway announces one, before the lines behind it', async () => {
    gateway.write('execution', '1', '2');
    const stream = watch('execution');
    await until(() => stream.get().items.length === 2);
    gateway.cut();
    gateway.write('execution', '3', '4', '5');
    gateway.vacuum('execution', 4);
    await until(() => stream.get().items.length === 4);
    assert.deepEqual(shown(stream), ['1', '2', 'gap: journal_vacuumed', '5']);
  });

  it('starts anew behind a visible gap where the gateway refuses the position', async () => {
    gateway.write('execution', '1');
    const stream = watch('execution');
    await until(() => stream.get().items.length === 1);
    gateway.refusals.push('invalid_position');
    gateway.cut();
    gateway.write('execution', '2');
    await until(() => stream.get().items.length === 3);
    assert.deepEqual(shown(stream), ['1', 'gap: position_lost', '2']);
    assert.equal(stream.get().status, 'live');
  });

  it('tries a retryable refusal again, and shows one that is not', async () => {
    gateway.refusals.push('ssh_busy');
    const stream = watch('execution');
    await until(() => stream.get().status === 'interrupted');
    await until(() => stream.get().status === 'live');
    assert.equal(stream.get().error, null);
    gateway.refusals.push('invalid_service');
    const other = watch('nonsense');
    await until(() => other.get().status === 'failed');
    assert.equal(other.get().error?.code, 'invalid_service');
    other.retry();
    await until(() => other.get().status === 'live');
  });

  it('[LOG-2] misses no line of a service that had none when the connection broke', async () => {
    const stream = watch('execution');
    await until(() => stream.get().status === 'live');
    gateway.cut();
    gateway.write('execution', ...Array.from({ length: 800 }, (_, n) => String(n)));
    await until(() => stream.get().items.length === 800);
    assert.deepEqual(
      shown(stream),
      Array.from({ length: 800 }, (_, n) => String(n)),
    );
  });

  it('[LOG-2] with no old lines asked for misses no new one, and never shows an old one', async () => {
    gateway.write('execution', 'old 1', 'old 2');
    client = connect({ logs: { tail: 0 } });
    const stream = watch('execution');
    await until(() => stream.get().status === 'live');
    gateway.cut();
    gateway.write('execution', 'new 1', 'new 2');
    await until(() => stream.get().items.length === 2);
    gateway.write('execution', 'new 3');
    await until(() => stream.get().items.length === 3);
    assert.deepEqual(shown(stream), ['new 1', 'new 2', 'new 3']);
    assert.equal(await stream.loadOlder(), null);
    assert.deepEqual(shown(stream), ['old 1', 'old 2', 'new 1', 'new 2', 'new 3']);
  });

  it('[LOG-2] with no old lines asked for misses no line of a service that had none', async () => {
    client = connect({ logs: { tail: 0 } });
    const stream = watch('execution');
    await until(() => stream.get().status === 'live');
    gateway.cut();
    gateway.write('execution', '1', '2');
    await until(() => stream.get().items.length === 2);
    assert.deepEqual(shown(stream), ['1', '2']);
  });

  it('[LOG-6] shows nothing of the host before when a token for another one comes, paused or not', async () => {
    gateway.hosts.set('other', 'node-2.example');
    gateway.write('execution', 'e 1', 'e 2');
    const stream = watch('execution');
    const view = createLogView(stream, { text: 'e' });
    releases.push(
      view.subscribe(() => {}),
      client.status.subscribe(() => {}),
    );
    await until(() => view.get().lines.length === 2 && gateway.received.length === 2);
    gateway.sendStatus([{ service: 'execution', status: 'active' }]);
    await until(() => client.status.get().data !== undefined);
    view.pause();
    const asked = gateway.received.length;
    const atOpen: unknown[] = [];
    const remove = client.subscribe(() => {
      if (client.getState().status !== 'open') return;
      const { data, history } = client.status.get();
      atOpen.push({ lines: view.get().lines, paused: view.get().paused, data, history });
      remove();
    });
    client.reconnect('other');
    assert.notEqual(client.getState().status, 'open');
    await until(() => client.getState().session?.host === 'node-2.example');
    assert.deepEqual(atOpen, [{ lines: [], paused: false, data: undefined, history: {} }]);
    await until(() => gateway.received.length === asked + 2);
    assert.equal(gateway.received.slice(asked).includes('subscribe_logs execution tail=500 batch'), true);
    await until(() => view.get().lines.length === 2);
  });

  it('[SIO-4] goes on behind the last line when a new token is for the same host and user', async () => {
    gateway.write('execution', '1');
    const stream = watch('execution');
    await until(() => stream.get().items.length === 1);
    gateway.emit('session_ended', { reason: 'expired' });
    await until(() => client.getState().status === 'denied');
    gateway.write('execution', '2');
    client.reconnect('a new one');
    await until(() => stream.get().items.length === 2);
    assert.deepEqual(shown(stream), ['1', '2']);
    assert.equal(gateway.received.at(-1), 'subscribe_logs execution after=execution:1 batch');
  });

  it('keeps a subscription for a moment after its last viewer, then leaves', async () => {
    const stream = client.logs('execution');
    const first = stream.subscribe(() => {});
    await until(() => stream.get().status === 'live');
    first();
    const second = stream.subscribe(() => {});
    await until(() => gateway.received.length > 0);
    assert.deepEqual(gateway.received, ['subscribe_logs execution tail=500 batch']);
    second();
    await until(() => gateway.received.at(-1) === 'unsubscribe_logs execution');
    await until(() => client.getState().status === 'idle' && gateway.connected === 0);
    gateway.write('execution', 'later');
    releases.push(stream.subscribe(() => {}));
    await until(() => stream.get().items.length === 1);
    assert.equal(gateway.received.at(-1), 'subscribe_logs execution tail=500 batch');
  });

  it('tells its listeners of a burst once per frame', async () => {
    const stream = client.logs('execution');
    let calls = 0;
    releases.push(
      stream.subscribe(() => {
        calls += 1;
      }),
    );
    await until(() => stream.get().status === 'live');
    const before = calls;
    for (let n = 0; n < 500; n += 1) gateway.write('execution', `line ${n}`);
    await until(() => stream.get().items.length === 500);
    await until(() => calls > before);
    assert.ok(calls - before < 50, `${calls - before} calls for 500 batches`);
  });

  it('loads older lines before the oldest one it has', async () => {
    gateway.write('execution', ...Array.from({ length: 30 }, (_, n) => String(n)));
    client = connect({ logs: { tail: 10 } });
    const stream = watch('execution');
    await until(() => stream.get().items.length === 10);
    assert.equal(stream.get().hasOlder, true);
    assert.equal(await stream.loadOlder(15), null);
    assert.equal(await stream.loadOlder(15), null);
    assert.deepEqual(
      shown(stream),
      Array.from({ length: 30 }, (_, n) => String(n)),
    );
    assert.equal(stream.get().hasOlder, false);
  });

  it('[SIO-1] stops at an invalid session, and goes on with a new token', async () => {
    gateway.validToken = 'new';
    releases.push(client.retain());
    await until(() => client.getState().status === 'denied');
    const { error } = client.getState();
    assert.equal(error?.code, 'session_refused');
    assert.equal(error?.retryable, false);
    assert.equal(client.getState().nextRetryAt, null);
    client.reconnect('new');
    await until(() => client.getState().status === 'open');
  });

  it('[SIO-8] does not come back after the end of the session', async () => {
    const stream = watch('execution');
    await until(() => stream.get().status === 'live');
    gateway.emit('session_ended', { reason: 'logout' });
    await until(() => client.getState().status === 'denied');
    assert.equal(client.getState().error?.code, 'session_expired');
    assert.equal(stream.get().status, 'waiting');
    await until(() => gateway.connected === 0);
  });

  it('[RUN-5] waits as a draining gateway asks, then comes back', async () => {
    releases.push(client.retain());
    await until(() => client.getState().status === 'open');
    const told = Date.now();
    gateway.emit('server_draining', { reconnectInMs: 400 });
    gateway.cut();
    await until(() => client.getState().status === 'reconnecting');
    const { nextRetryAt, error } = client.getState();
    assert.ok(nextRetryAt !== null && nextRetryAt - told > 100, `waits ${Number(nextRetryAt) - told} ms`);
    assert.ok(nextRetryAt <= Date.now() + 400);
    assert.equal(error?.code, 'draining');
    await until(() => client.getState().status === 'open');
  });

  it('goes on trying while the gateway is away, saying when', async () => {
    releases.push(client.retain());
    await until(() => client.getState().status === 'open');
    const { port } = new URL(gateway.url);
    await gateway.stop();
    await until(() => client.getState().attempt >= 6);
    assert.equal(client.getState().status, 'reconnecting');
    assert.equal(client.getState().error?.retryable, true);
    gateway = await startFakeGateway({ port: Number(port) });
    await until(() => client.getState().status === 'open');
    assert.equal(client.getState().attempt, 0);
    assert.equal(client.getState().error, null);
  });

  it('sends nothing on a closed connection and keeps nothing for later', async () => {
    assert.equal(client.emit('unsubscribe_logs', { service: 'execution' }), false);
    const answer = await client.request('unsubscribe_logs', { service: 'execution' });
    assert.equal(answer.ok, false);
    assert.equal(client.getState().status, 'idle');
    releases.push(client.retain());
    await until(() => client.getState().status === 'open');
    assert.deepEqual(gateway.received, []);
  });

  it('[SIO-6] shares one status subscription, with the shortest interval asked for', async () => {
    const release = client.status.subscribe(() => {}, 2000);
    releases.push(client.status.subscribe(() => {}, 9000));
    await until(() => gateway.received.length === 1);
    assert.deepEqual(gateway.received, ['subscribe_status 2000']);
    gateway.sendStatus([{ service: 'execution', status: 'active' }]);
    await until(() => client.status.get().status === 'success');
    assert.deepEqual(client.status.get().data, [{ service: 'execution', status: 'active' }]);
    assert.equal(client.status.get().history.execution?.length, 1);
    release();
    await until(() => gateway.received.at(-1) === 'subscribe_status 9000');
    gateway.cut();
    await until(() => client.status.get().isStale);
    await until(() => gateway.received.length === 3);
    gateway.sendStatus([{ service: 'execution', status: 'failed' }]);
    await until(() => !client.status.get().isStale);
  });

  it('[SIO-6] asks for the status again where the host did not answer, and not where that cannot help', async () => {
    gateway.statusRefusals.push('host_unreachable');
    releases.push(client.status.subscribe(() => {}));
    await until(() => client.status.get().error?.code === 'host_unreachable');
    await until(() => gateway.received.length === 2);
    gateway.sendStatus([{ service: 'execution', status: 'active' }]);
    await until(() => client.status.get().status === 'success');
    assert.equal(client.status.get().error, null);
    gateway.statusRefusals.push('auth_failed');
    client.status.refetch();
    await until(() => client.status.get().error?.code === 'auth_failed');
    assert.equal(gateway.received.length, 3);
  });

  it('works out the CPU share of a unit, and starts anew when it restarts', async () => {
    releases.push(client.status.subscribe(() => {}));
    await until(() => gateway.received.length === 1);
    const unit = { service: 'execution', status: 'active', pid: 1 } as const;
    const share = () => client.status.get().cpuShare.execution;
    const send = async (change: { pid?: number; cpuNsec: number }) => {
      const before = client.status.get();
      gateway.sendStatus([{ ...unit, ...change }]);
      await until(() => client.status.get() !== before);
    };
    await send({ cpuNsec: 1e9 });
    assert.equal(share(), undefined);
    const { updatedAt } = client.status.get();
    await until(() => Date.now() - (updatedAt ?? 0) >= 600);
    await send({ cpuNsec: 1.3e9 });
    const first = share();
    const elapsedMs = Number(client.status.get().updatedAt) - Number(updatedAt);
    assert.equal(first, 300 / elapsedMs, 'so much of a core');
    await send({ cpuNsec: 1.31e9 });
    assert.equal(share(), first, 'a push right behind a poll says nothing');
    await send({ pid: 2, cpuNsec: 1e6 });
    assert.equal(share(), undefined);
  });

  it('keeps an error of the host until the host answers again', async () => {
    const stream = watch('execution');
    releases.push(client.status.subscribe(() => {}));
    await until(() => stream.get().status === 'live' && gateway.received.length === 2);
    const payload = {
      message: 'SSH connection error',
      code: 'ssh_connection_error',
      retryable: true,
      hint: 'x',
    };
    gateway.emit('error', { ...payload, code: 'ssh_connection_error' });
    gateway.emit('error', { ...payload, code: 'ssh_connection_error', service: 'execution' });
    await until(() => stream.get().status === 'interrupted');
    assert.equal(client.getState().error?.code, 'ssh_connection_error');
    assert.equal(client.getState().status, 'open');
    gateway.sendStatus([{ service: 'execution', status: 'unknown' }]);
    await until(() => client.status.get().data !== undefined);
    assert.equal(stream.get().status, 'interrupted');
    gateway.sendStatus([{ service: 'execution', status: 'active' }]);
    await until(() => stream.get().status === 'live');
    assert.equal(client.getState().error, null);
  });
});
