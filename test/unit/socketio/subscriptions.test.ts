import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import type { LogSink } from '../../../server/logs/viewer.ts';
import type { Connection } from '../../../server/socketio/connection.ts';
import { logHistory } from '../../../server/socketio/handlers/log-history.ts';
import { subscribeLogs } from '../../../server/socketio/handlers/subscribe-logs.ts';
import { subscribeStatus } from '../../../server/socketio/handlers/subscribe-status.ts';
import type { HandlerDeps } from '../../../server/socketio/handlers/types.ts';
import { unsubscribeLogs } from '../../../server/socketio/handlers/unsubscribe-logs.ts';
import { unsubscribeStatus } from '../../../server/socketio/handlers/unsubscribe-status.ts';

const ACK = { wantsAck: true };

/** A logged-in connection whose login is proven when the test says so. */
function rig() {
  let proven: { resolve(): void; reject(error: unknown): void } = {
    resolve: assert.fail,
    reject: assert.fail,
  };
  const proof = new Promise<void>((resolve, reject) => {
    proven = { resolve, reject };
  });
  proof.catch(() => {});
  const viewers: { stopped: boolean; end: () => void }[] = [];
  const statuses: { interval: number; ended: boolean }[] = [];
  const reads: AbortSignal[] = [];
  const deps = {
    units: ['execution'],
    prove: () => proof,
    logs: {
      subscribe(_session: unknown, _unit: string, _start: unknown, sink: LogSink) {
        const viewer = { stopped: false, end: () => sink.ended() };
        viewers.push(viewer);
        return {
          started: Promise.resolve({ recovered: true }),
          stop: () => {
            viewer.stopped = true;
          },
        };
      },
      history(_session: unknown, _unit: string, _request: unknown, signal: AbortSignal) {
        reads.push(signal);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ entries: [], hasMore: true }));
        });
      },
    },
    status: {
      subscribe({ interval }: { interval: number }) {
        const status = { interval, ended: false };
        statuses.push(status);
        return {
          setInterval: (ms: number) => {
            status.interval = ms;
          },
          unsubscribe: () => {
            status.ended = true;
          },
        };
      },
    },
  } as unknown as HandlerDeps;
  const connection = {
    socket: { connected: true, emit: () => true },
    address: '192.0.2.1',
    login: { token: 't', session: { id: 's', target: {} } },
    logs: new Map(),
    status: null,
    statusInterval: null,
    reads: new Set(),
  } as unknown as Connection;
  return { deps, connection, proven, viewers, statuses, reads };
}

describe('subscriptions of a connection whose login is still being proven', () => {
  it('[SIO-2] a repeated subscribe_logs fails with the first', async () => {
    const { deps, connection, proven } = rig();
    const first = subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    const again = subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    proven.reject(new AppError('host_unreachable'));
    for (const answer of [first, again])
      await assert.rejects(Promise.resolve(answer), { code: 'host_unreachable' });
    assert.equal(connection.logs.size, 0);
  });

  it('[SIO-2] a repeated subscribe_logs starts no second viewer', async () => {
    const { deps, connection, proven, viewers } = rig();
    const first = subscribeLogs(deps, connection, { service: 'execution' }, { wantsAck: false });
    const again = subscribeLogs(deps, connection, { service: 'execution.service' }, ACK);
    proven.resolve();
    await first;
    assert.deepEqual(await again, { recovered: true });
    assert.equal(viewers.length, 1);
  });

  it('[SIO-2] unsubscribe_logs ends what is not there yet, and a new subscribe_logs starts anew', async () => {
    const { deps, connection, proven, viewers } = rig();
    const first = subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    await unsubscribeLogs(deps, connection, { service: 'execution' }, ACK);
    const anew = subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    proven.resolve();
    await Promise.all([first, anew]);
    assert.deepEqual(
      viewers.map(({ stopped }) => stopped),
      [false],
    );
    assert.equal(connection.logs.size, 1);
  });

  it('[SIO-2] a viewer that has failed for good is forgotten, so that a new subscribe_logs starts anew', async () => {
    const { deps, connection, proven, viewers } = rig();
    proven.resolve();
    await subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    viewers[0]?.end();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(connection.logs.size, 0);
    await subscribeLogs(deps, connection, { service: 'execution' }, ACK);
    assert.equal(viewers.length, 2);
  });

  it('[SIO-6] unsubscribe_status ends what is not there yet', async () => {
    const { deps, connection, proven, statuses } = rig();
    const answer = subscribeStatus(deps, connection, {}, ACK);
    await unsubscribeStatus(deps, connection, undefined, ACK);
    proven.resolve();
    await answer;
    assert.equal(connection.status, null);
    assert.deepEqual(statuses, []);
  });

  it('[SIO-6] the interval asked for last holds', async () => {
    const { deps, connection, proven, statuses } = rig();
    const answers = [1000, 2000, 3000].map((interval) =>
      subscribeStatus(deps, connection, { interval }, ACK),
    );
    proven.resolve();
    await Promise.all(answers);
    assert.deepEqual(statuses, [{ interval: 3000, ended: false }]);
  });

  it('[SIO-5] reads of history are known until they end', async () => {
    const { deps, connection, proven, reads } = rig();
    proven.resolve();
    const pages = Array.from({ length: 20 }, () =>
      logHistory(deps, connection, { service: 'execution' }, ACK),
    );
    while (reads.length < pages.length) await new Promise(setImmediate);
    assert.equal(connection.reads.size, 20);
    for (const read of connection.reads) read.abort();
    await Promise.all(pages);
    assert.equal(connection.reads.size, 0);
  });
});
