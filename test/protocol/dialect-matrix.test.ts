import assert from 'node:assert/strict';
import { ALL_DIALECTS_ENV, RECEIVERS, type RoomClient, SENDERS } from '../support/dialects.ts';
import { requirePart } from '../support/parts.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const PAYLOADS = [{ n: 1, text: 'ü "\u2028' }, ['a', null, true], 'text', 7, { deep: { list: [{}] } }, 'end'];

/** Who gets what it publishes itself, if it is subscribed. */
const GETS_OWN: Readonly<Record<string, boolean>> = {
  Nexus: true,
  MB: true,
  Echo: false,
  'Socket.IO': false,
};

describe('messages between dialects', () => {
  let redis: RedisServer;
  let servers: readonly TestServer[];
  let rooms = 0;
  const clients: RoomClient[] = [];

  before(async function () {
    requirePart(this, 'redis-server');
    redis = await startRedis();
    const env = { ...ALL_DIALECTS_ENV, REDIS_URL: redis.url };
    servers = [await startServer(env), await startServer(env)];
    for (const { url } of servers) await until(async () => (await fetch(`${url}/readyz`)).ok);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  after(async () => {
    await Promise.all((servers ?? []).map((server) => server.stop()));
    await redis?.stop();
  });

  const at = (instance: number): TestServer => {
    const server = servers[instance];
    if (!server) throw new Error('no such instance');
    return server;
  };
  const keep = (client: RoomClient): RoomClient => {
    clients.push(client);
    return client;
  };

  for (const [from, openSender] of Object.entries(SENDERS)) {
    for (const [to, openReceiver] of Object.entries(RECEIVERS)) {
      for (const instance of [0, 1]) {
        const where = instance === 0 ? 'on the same instance' : 'on another instance';
        it(`[WS-6] from ${from} to ${to} ${where}: everything, once, in order`, async () => {
          const room = `matrix-${++rooms}`;
          const receiver = keep(await openReceiver(at(instance), room));
          const sender = keep(await openSender(at(0), room, { subscribe: false }));
          for (const payload of PAYLOADS) await sender.send(payload);
          await until(() => receiver.payloads().at(-1) === 'end');
          assert.deepEqual(receiver.payloads(), PAYLOADS);
          if (from !== 'Echo') assert.deepEqual(sender.payloads(), []);
        });
      }
    }
  }

  for (const [name, open] of Object.entries(RECEIVERS)) {
    it(`[WS-6] in ${name} a subscribed publisher gets its message back: ${GETS_OWN[name] ? 'yes' : 'no'}`, async () => {
      const room = `own-${++rooms}`;
      const publisher = keep(await open(at(0), room));
      const other = keep(await open(at(1), room));
      await publisher.send('mine');
      await until(() => other.payloads().length === 1);
      await other.send('end');
      await until(() => publisher.payloads().at(-1) === 'end');
      assert.deepEqual(publisher.payloads(), GETS_OWN[name] ? ['mine', 'end'] : ['end']);
    });
  }

  it('[WS-6] every dialect has its own form of one and the same message', async () => {
    const room = `forms-${++rooms}`;
    const receivers = await Promise.all(Object.values(RECEIVERS).map((open) => open(at(1), room)));
    for (const receiver of receivers) keep(receiver);
    const nexus = keep(await (RECEIVERS.Nexus?.(at(0), room, { subscribe: false }) ?? Promise.reject()));
    const http = keep(await (SENDERS.HTTP?.(at(0), room) ?? Promise.reject()));
    await nexus.send({ a: 1 });
    await until(() => receivers.every((receiver) => receiver.payloads().length === 1));
    await http.send({ a: 2 });
    await until(() => receivers.every((receiver) => receiver.payloads().length === 2));
    const [byNexus, byEcho, byMb, byIo] = receivers.map((receiver) => receiver.messages());
    const { timestamp, id } = byNexus?.[0] ?? {};
    assert.match(String(timestamp), /^\d{4}-.*Z$/);
    assert.deepEqual(byNexus?.[0], {
      type: 'message',
      channel: room,
      from: 'nexus-user',
      data: { a: 1 },
      timestamp,
      id,
    });
    assert.equal(byNexus?.[1]?.type, 'broadcast');
    const seconds = Math.floor(Date.parse(String(timestamp)) / 1000);
    assert.deepEqual(byEcho?.[0], {
      type: 'message',
      content: { a: 1 },
      from: 'nexus-user',
      timestamp: seconds,
      id,
    });
    assert.equal(byEcho?.[1]?.from, 'server');
    assert.deepEqual(byMb?.[0], { line: `publish:${room}:1.0.0`, payload: { a: 1 } });
    assert.equal(byIo?.[0]?.room, room);
    assert.deepEqual([byIo?.[0]?.from, byIo?.[0]?.data, byIo?.[0]?.id], ['nexus-user', { a: 1 }, id]);
  });

  it('[WS-6] a wildcard of MB sees what the others publish', async () => {
    const room = `wild-${++rooms}`;
    const watcher = keep(await (RECEIVERS.MB?.(at(1), `${room}.#`) ?? Promise.reject()));
    for (const open of Object.values(SENDERS)) {
      const sender = keep(await open(at(0), `${room}.x`, { subscribe: false }));
      await sender.send('seen');
    }
    await until(() => watcher.payloads().length === Object.keys(SENDERS).length);
  });
});
