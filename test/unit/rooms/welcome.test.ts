import assert from 'node:assert/strict';
import { createBus } from '../../../server/cluster/bus.ts';
import { createMemoryHistory } from '../../../server/rooms/history.ts';
import { createHub } from '../../../server/rooms/hub.ts';
import { createMemoryPresence } from '../../../server/rooms/presence.ts';
import { createMemoryReplayGuard } from '../../../server/rooms/replay-guard.ts';
import { createRoomHost } from '../../../server/rooms/room-host.ts';
import { createRoomTokens } from '../../../server/rooms/tokens/room-token.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { until } from '../../support/until.ts';

describe('the welcome of a room', () => {
  const logger = createRecordLogger();
  const tokens = createRoomTokens({ secret: 'the secret of this test' });
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  /** Lets a client into a room whose presence is told when `told` ends. @returns what it gets */
  async function enter(told: Promise<void>): Promise<string[]> {
    const shared = { instanceId: 'one', logger, maxPayloadBytes: 1000 };
    const presence = { ...createMemoryPresence({ instanceId: 'one' }), told: () => told };
    const hub = createHub({ ...shared, bus: createBus(), presence, history: createMemoryHistory() });
    const host = createRoomHost({
      ...shared,
      hub,
      tokens,
      handlers: [],
      replays: createMemoryReplayGuard(),
      heartbeatIntervalMs: 60_000,
    });
    stops.push(host.stop, hub.stop);
    const entry = await host.admit({
      room: 'lobby',
      control: false,
      token: tokens.issue({ clientId: 'a', room: 'lobby', expiresInS: 60 }).token,
      address: '::1',
      request: { path: '/lobby', query: new URLSearchParams(), headers: {} },
    });
    const got: string[] = [];
    assert.ok('open' in entry);
    entry.open({
      id: '1',
      isOpen: true,
      send: (text) => void got.push(text),
      receive: (messages) => void got.push(...messages.map(({ json }) => json)),
      disconnect() {},
      expireAt() {},
    });
    await until(() => hub.stats().members === 1);
    hub.publish('lobby', { from: 'b', data: 'meanwhile', kind: 'client' });
    hub.flush();
    return got;
  }

  it('[WS-2] comes when the other instances count its client, and what was said meanwhile behind it', async () => {
    let tell = () => {};
    const got = await enter(
      new Promise((resolve) => {
        tell = resolve;
      }),
    );
    assert.deepEqual(got, []);
    tell();
    await until(() => got.length === 2);
    assert.match(got[0] ?? '', /"welcome"/);
    assert.equal(got[1], '"meanwhile"');
  });

  it('[WS-2] comes also where they cannot be told', async () => {
    const got = await enter(new Promise(() => {}));
    await until(() => got.length === 2, 2000);
    assert.match(got[0] ?? '', /"welcome"/);
  });
});
