import assert from 'node:assert/strict';
import { type Bus, createBus } from '../../../server/cluster/bus.ts';
import { AppError } from '../../../server/core/errors.ts';
import { createSilentLogger } from '../../../server/core/logger.ts';
import { OFFERS_MAX } from '../../../server/rooms/requests/directory.ts';
import { createRequests } from '../../../server/rooms/requests/requests.ts';
import type { DeliveredRequest, Requests, Responder } from '../../../server/rooms/requests/types.ts';

/** Instances whose messages reach each other in a later turn of the event loop, unless `lose` says otherwise. */
function createCluster(count: number) {
  const buses: ReturnType<typeof createBus>[] = [];
  const state = { lose: (_from: number, _to: number): boolean => false, chars: 0 };
  const clock = { now: 0 };
  for (let from = 0; from < count; from += 1) {
    buses.push(
      createBus((topic, message) => {
        const copy = JSON.stringify(message);
        for (const [to, bus] of buses.entries()) {
          if (to === from || state.lose(from, to)) continue;
          state.chars += copy.length;
          setImmediate(() => bus.deliver(topic, JSON.parse(copy)));
        }
      }),
    );
  }
  const start = (bus: Bus, n: number): Requests =>
    createRequests({
      instanceId: `i${n}`,
      bus,
      logger: createSilentLogger(),
      clustered: count > 1,
      now: () => clock.now,
    });
  const instances = buses.map(start);
  return {
    state,
    clock,
    instances,
    at: (n: number): Requests => instances[n] ?? assert.fail(),
    stop: () => Promise.all(instances.map((one) => one.stop())),
  };
}

/** Answers each request by its name, on the instance `requests`. */
function createAnswerer(requests: Requests, id: string): Responder & { got: DeliveredRequest[] } {
  const got: DeliveredRequest[] = [];
  return {
    id,
    got,
    may: () => true,
    receive(request) {
      got.push(request);
      setImmediate(() => requests.answer(id, request.id, { id: 'answer', json: JSON.stringify(id) }));
    },
  };
}

let ids = 0;
const ask = (
  requests: Requests,
  topic: string,
  more: { origin?: string; timeoutMs?: number; id?: string } = {},
) => requests.request({ origin: 'asker', id: `id-${++ids}`, topic, json: '{}', timeoutMs: 1000, ...more });
const code = (wanted: string) => (error: unknown) => error instanceof AppError && error.code === wanted;
const settle = async (): Promise<void> => {
  for (let n = 0; n < 10; n += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
};

describe('requests between instances', () => {
  let cluster: ReturnType<typeof createCluster>;
  afterEach(() => cluster.stop());

  it('[WS-4] each goes to one subscriber, about equally often', async () => {
    cluster = createCluster(3);
    const answerers = [0, 0, 1, 2, 2, 2].map((n, id) => {
      const answerer = createAnswerer(cluster.at(n), `a${id}`);
      cluster.at(n).serve(id % 2 ? 'work' : '#', answerer);
      return answerer;
    });
    await settle();
    for (let n = 0; n < 600; n += 1) {
      const before = answerers.reduce((sum, { got }) => sum + got.length, 0);
      assert.ok(await ask(cluster.at(n % 3), 'work'));
      assert.equal(
        answerers.reduce((sum, { got }) => sum + got.length, 0),
        before + 1,
      );
    }
    for (const { got } of answerers) assert.ok(got.length > 50 && got.length < 170, String(got.length));
  });

  it('[WS-4] one that has just come is found although nothing was heard of it', async () => {
    cluster = createCluster(2);
    await settle();
    cluster.state.lose = () => true;
    cluster.at(1).serve('late', createAnswerer(cluster.at(1), 'a'));
    cluster.state.lose = () => false;
    assert.ok(await ask(cluster.at(0), 'late'));
  });

  it('[WS-4] a subscriber beyond what instances remember of each other is found by asking for its topic alone', async () => {
    cluster = createCluster(3);
    for (let n = 0; n < OFFERS_MAX; n += 1)
      cluster.at(1).serve(`many.${n}`, createAnswerer(cluster.at(1), 'm'));
    await settle();
    cluster.at(1).serve('many.0', createAnswerer(cluster.at(1), 'second'));
    cluster.at(1).serve('one more', createAnswerer(cluster.at(1), 'last'));
    // Matches as well, but may not have it.
    cluster.at(2).serve('#', { ...createAnswerer(cluster.at(2), 'no'), may: () => false });
    await settle();
    cluster.state.chars = 0;
    assert.equal((await ask(cluster.at(0), 'one more'))?.json, '"last"');
    assert.ok(await ask(cluster.at(0), 'many.0'));
    await assert.rejects(ask(cluster.at(0), 'none'), code('no_subscriber'));
    assert.ok(cluster.state.chars < 5000, `${cluster.state.chars} characters between the instances`);
  });

  it('[WS-4] a lost change is made good by the next one', async () => {
    cluster = createCluster(2);
    const end = cluster.at(1).serve('x', createAnswerer(cluster.at(1), 'a'));
    await settle();
    cluster.state.lose = () => true;
    end();
    cluster.at(1).serve('y', createAnswerer(cluster.at(1), 'b'));
    cluster.state.lose = () => false;
    cluster.at(1).serve('z', createAnswerer(cluster.at(1), 'c'));
    await settle();
    assert.ok(await ask(cluster.at(0), 'y'));
    await assert.rejects(ask(cluster.at(0), 'x'), code('no_subscriber'));
  });

  it('[WS-4] an instance that has nobody any more passes it back, and another one gets it', async () => {
    cluster = createCluster(3);
    const end = cluster.at(1).serve('x', createAnswerer(cluster.at(1), 'gone'));
    await settle();
    cluster.state.lose = (from) => from === 1;
    end();
    cluster.state.lose = () => false;
    cluster.at(2).serve('x', createAnswerer(cluster.at(2), 'here'));
    await settle();
    for (let n = 0; n < 20; n += 1) assert.equal((await ask(cluster.at(0), 'x'))?.json, '"here"');
  });

  it('[WS-4] an instance that has gone silent is not chosen any more', async () => {
    cluster = createCluster(2);
    cluster.at(1).serve('x', createAnswerer(cluster.at(1), 'dead'));
    await settle();
    cluster.state.lose = () => true;
    await assert.rejects(ask(cluster.at(0), 'x', { timeoutMs: 50 }), code('request_timeout'));
    cluster.clock.now += 60_000;
    await assert.rejects(ask(cluster.at(0), 'x'), code('no_subscriber'));
  });

  it('[WS-4] a stop takes the offers back and ends what is open', async () => {
    cluster = createCluster(2);
    const silent: Responder = { id: 's', may: () => true, receive() {} };
    cluster.at(1).serve('x', silent);
    await settle();
    const open = ask(cluster.at(0), 'x');
    await cluster.at(1).stop();
    await settle();
    await cluster.at(0).stop();
    assert.equal(await open, null);
  });

  it('[WS-4] a subscriber that may not have the topic, owes too much, or throws harms nobody', async () => {
    cluster = createCluster(1);
    const requests = cluster.at(0);
    const good = createAnswerer(requests, 'good');
    requests.serve('#', { id: 'other', may: (topic) => topic !== 'x', receive() {} });
    requests.serve('x', good);
    for (let n = 0; n < 5; n += 1) assert.equal((await ask(requests, 'x'))?.json, '"good"');
    requests.serve('t', {
      id: 'throws',
      may: () => true,
      receive() {
        throw new Error('bang');
      },
    });
    await assert.rejects(ask(requests, 't', { timeoutMs: 30, origin: 'b' }), code('request_timeout'));
  });

  it('[WS-4] an asker that leaves is forgotten, and an answer to it dropped', async () => {
    cluster = createCluster(2);
    let given: DeliveredRequest | undefined;
    cluster.at(1).serve('x', {
      id: 'slow',
      may: () => true,
      receive(request) {
        given = request;
      },
    });
    await settle();
    const open = ask(cluster.at(0), 'x', { origin: 'leaver' });
    await settle();
    cluster.at(0).leave('leaver');
    assert.equal(await open, null);
    assert.equal(cluster.at(1).answer('stranger', given?.id ?? '', { id: 'a', json: '1' }), false);
    assert.equal(cluster.at(1).answer('slow', given?.id ?? '', { id: 'a', json: '1' }), true);
    assert.equal(cluster.at(1).answer('slow', given?.id ?? '', { id: 'a', json: '1' }), false);
    await settle();
  });

  it('[WS-4] payloads that wait are bounded by their bytes', async () => {
    cluster = createCluster(1);
    const requests = cluster.at(0);
    requests.serve('x', { id: 's', may: () => true, receive() {} });
    const json = JSON.stringify('x'.repeat(1_000_000));
    const open = [1, 2, 3, 4].map((n) =>
      requests.request({ origin: 'o', id: String(n), topic: 'x', json, timeoutMs: 1000 }),
    );
    await assert.rejects(
      requests.request({ origin: 'o', id: '5', topic: 'x', json, timeoutMs: 1000 }),
      code('rate_limited'),
    );
    await requests.stop();
    assert.deepEqual(await Promise.all(open), [null, null, null, null]);
  });
});
