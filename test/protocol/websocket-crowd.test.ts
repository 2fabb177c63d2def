import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createBus } from '../../server/cluster/bus.ts';
import { createProxyTrust } from '../../server/core/client-address.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import { createMemoryHistory } from '../../server/rooms/history.ts';
import { createHub } from '../../server/rooms/hub.ts';
import { createMemoryPresence } from '../../server/rooms/presence.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { createKeyValidationDialect } from '../../server/websocket/dialects/key-validation.ts';
import { createNexusDialect } from '../../server/websocket/dialects/nexus.ts';
import { createWebSockets, type WebSockets } from '../../server/websocket/server.ts';
import { until } from '../support/until.ts';
import { openSocket, upgradeStatus } from '../support/websocket.ts';

const ANONYMOUS_MAX = 3;
const MINUTE_MS = 60_000;

describe('a crowd without tokens', () => {
  const jwts = createJwts({ secret: 'the secret of these tests' });
  const logger = createSilentLogger();
  let server: Server;
  let sockets: WebSockets;
  let url: string;

  before(async () => {
    const instanceId = 'one';
    const hub = createHub({
      instanceId,
      bus: createBus(),
      presence: createMemoryPresence({ instanceId }),
      history: createMemoryHistory(),
      maxPayloadBytes: 1000,
      logger,
    });
    sockets = createWebSockets({
      dialects: [
        createNexusDialect({ hub, jwts }),
        createKeyValidationDialect({ keys: null, production: false, heartbeatIntervalMs: MINUTE_MS }),
      ],
      originAllowed: () => true,
      proxyTrust: createProxyTrust({ kind: 'hops', hops: 1 }),
      logger,
      maxPayloadBytes: 1000,
      messageRate: 100,
      heartbeatIntervalMs: MINUTE_MS,
      clientTimeoutMs: MINUTE_MS,
      anonymousMax: ANONYMOUS_MAX,
    });
    server = createServer().on('upgrade', sockets.upgrade).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    await sockets.stop();
    server.close();
  });

  it('[WS-5] one address has only so many connections without a token; others, and those with one, get in', async () => {
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    const crowd = [];
    for (let n = 0; n < ANONYMOUS_MAX; n += 1)
      crowd.push(await openSocket(`${url}/?key=k`, from(`2001:db8::${n}`)));
    assert.equal(await upgradeStatus(`${url}/?key=k`, from('2001:db8::ffff')), 429);
    assert.equal(await upgradeStatus(`${url}/?key=k`, from('2001:db8:0:1::1')), 101);
    const token = await jwts.issue({ userId: 'u' });
    for (let n = 0; n < 2 * ANONYMOUS_MAX; n += 1)
      await openSocket(`${url}/ws?token=${token}`, from('2001:db8::1'));
    await crowd[0]?.close();
    await until(async () => (await upgradeStatus(`${url}/?key=k`, from('2001:db8::5'))) === 101);
  });
});
