import assert from 'node:assert/strict';
import { createBus } from '../../../server/cluster/bus.ts';
import { createRelay, type Relay } from '../../../server/rooms/relay.ts';
import type { WireMessage } from '../../../server/rooms/types.ts';
import { until } from '../../support/until.ts';

const wire = (id: string, json = '1'): WireMessage => ({
  room: 'r',
  from: 'f',
  json,
  timestamp: 0,
  id,
  kind: 'client',
  origin: null,
});

/** Two relays over a bus that loses what `drops` says. */
function rig(drops: (note: { type: string; by: string; seq?: number }) => boolean) {
  const got: Record<'one' | 'two', string[]> = { one: [], two: [] };
  let lost = 0;
  const carry = (to: 0 | 1) => (topic: 'rooms', note: unknown) => {
    const copy = JSON.parse(JSON.stringify(note)) as Parameters<typeof drops>[0];
    if (!drops(copy)) setImmediate(() => buses[to].deliver(topic, copy));
  };
  const buses = [
    createBus((topic, note) => carry(1)(topic as 'rooms', note)),
    createBus((topic, note) => carry(0)(topic as 'rooms', note)),
  ] as const;
  const relay = (instanceId: 'one' | 'two', bus: (typeof buses)[number]): Relay =>
    createRelay({
      bus,
      instanceId,
      onMessages: (messages) => got[instanceId].push(...messages.map(({ id }) => id)),
      onLost: (turns) => {
        lost += turns;
      },
    });
  const [one, two] = [relay('one', buses[0]), relay('two', buses[1])];
  return {
    one,
    got,
    lost: () => lost,
    stop: async () => void (await Promise.all([one.stop(), two.stop()])),
  };
}

const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => String(from + n));

describe('relay between instances', () => {
  it('[WS-6] what the bus lost is asked for again and comes in order, once', async () => {
    const { one, got, lost, stop } = rig(
      ({ type, seq = 0 }) => type === 'messages' && seq > 1 && seq % 3 === 0,
    );
    for (let n = 1; n <= 200; n += 1) one.send([wire(String(n))]);
    await until(() => got.two.length === 200);
    assert.deepEqual(got.two, ids(1, 200));
    assert.deepEqual(got.one, ids(1, 200));
    assert.equal(lost(), 0);
    await stop();
  });

  it('[WS-6] a lost last message is noticed, too', async () => {
    const { one, got, stop } = rig(({ type, seq }) => type === 'messages' && seq === 2);
    one.send([wire('1')]);
    one.send([wire('2')]);
    await until(() => got.two.length === 2);
    assert.deepEqual(got.two, ['1', '2']);
    await stop();
  });

  it('[WS-6] what nobody has any more is given up, and the rest goes on', async () => {
    const { one, got, lost, stop } = rig(({ type, seq = 0 }) => type === 'messages' && seq > 1 && seq < 40);
    // Beyond what is kept for others.
    for (let n = 1; n <= 40; n += 1) one.send([wire(String(n), 'x'.repeat(1024 * 1024))]);
    await until(() => got.two.includes('40'));
    assert.equal(got.two[0], '1');
    assert.deepEqual(got.two.slice(1), ids(Number(got.two[1]), 40));
    assert.equal(lost(), 40 - got.two.length);
    await stop();
  });

  it('[WS-6] an answer that never comes holds the rest back for a moment only', async () => {
    const { one, got, lost, stop } = rig(
      ({ type, seq }) => (type === 'messages' && seq === 2) || type === 'again',
    );
    for (let n = 1; n <= 5; n += 1) one.send([wire(String(n))]);
    await until(() => got.two.length === 4);
    assert.deepEqual(got.two, ['1', '3', '4', '5']);
    assert.equal(lost(), 1);
    await stop();
  });
});
