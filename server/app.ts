import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createMemoryLeases, createMemoryStreams } from './cluster/memory.ts';
import { createRedisLeases } from './cluster/redis-leases.ts';
import { createRedisStreams } from './cluster/redis-streams.ts';
import type { Config } from './config.ts';
import { createProxyTrust } from './core/client-address.ts';
import { restoreFastStrings } from './core/fast-strings.ts';
import { createLifecycle } from './core/lifecycle.ts';
import { createMetrics } from './core/metrics.ts';
import { createOriginPolicy } from './core/origin-policy.ts';
import { createStrangers, type StrangerLimits } from './core/strangers.ts';
import type { Logger } from './core/types.ts';
import { createDemoNode } from './demo/node.ts';
import { createHttpApp } from './http/app.ts';
import { guardConnections, IDLE_LIMITS } from './http/connection-guard.ts';
import { BACKLOG, createDrain, createNodeServer } from './http/node-server.ts';
import { answerWithoutUpgrade, isWebSocketUpgrade } from './http/other-upgrades.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { createTlsReload } from './http/tls.ts';
import { createLogService } from './logs/service.ts';
import { packageRoot, packageVersion } from './package-info.ts';
import type { App } from './process.ts';
import { createCanary } from './redis/canary.ts';
import { createRedis } from './redis/connections.ts';
import { keys } from './redis/keys.ts';
import { BUILT_IN_DIR, discoverHandlers } from './rooms/handlers/discovery.ts';
import { createMemoryHistory, createRedisHistory } from './rooms/history.ts';
import { createHub } from './rooms/hub.ts';
import { createMemoryPresence, createRedisPresence } from './rooms/presence.ts';
import { createMemoryReplayGuard, createRedisReplayGuard } from './rooms/replay-guard.ts';
import { createRequests } from './rooms/requests/requests.ts';
import { createRoomHost } from './rooms/room-host.ts';
import { createGrants } from './rooms/tokens/grants.ts';
import { createJwts } from './rooms/tokens/jwt.ts';
import { createRoomTokens } from './rooms/tokens/room-token.ts';
import {
  createHostKeyPolicy,
  createMemoryHostKeyPins,
  createRedisHostKeyPins,
} from './sessions/host-keys.ts';
import { createLogins } from './sessions/login.ts';
import { createLoginLimits } from './sessions/login-limits.ts';
import { createMemorySessionStore, createRedisSessionStore } from './sessions/session-store.ts';
import { createSessionWatch } from './sessions/session-watch.ts';
import type { Session } from './sessions/types.ts';
import { createRedisAdapter } from './socketio/adapter.ts';
import { UNKNOWN_LIMITS } from './socketio/admission.ts';
import { createGateway } from './socketio/gateway.ts';
import { createIo } from './socketio/io.ts';
import { createSshPool } from './ssh/pool.ts';
import { createTargetPolicy } from './ssh/target-policy.ts';
import type { SshTarget } from './ssh/types.ts';
import { systemClock } from './status/clock.ts';
import { createStatusFeed } from './status/feed.ts';
import { createMemoryBoard } from './status/memory-board.ts';
import { createProber } from './status/prober.ts';
import { createRedisBoard } from './status/redis-board.ts';
import { createEchoDialect } from './websocket/dialects/echo.ts';
import { createKeyValidationDialect } from './websocket/dialects/key-validation.ts';
import { createMbDialect } from './websocket/dialects/mb.ts';
import { createNexusDialect } from './websocket/dialects/nexus.ts';
import { createKeyService } from './websocket/key-service.ts';
import { createWebSockets } from './websocket/server.ts';
import type { Dialect } from './websocket/types.ts';

/** A listener for the errors of upgraded connections: one for all of them. */
function destroyBroken(this: Duplex): void {
  this.destroy();
}

/** The composition root: the only place that builds services and wires them to each other. */
export async function createApp(config: Config, logger: Logger): Promise<App> {
  // After the imports above, of which ioredis slows all text down.
  restoreFastStrings();
  const lifecycle = createLifecycle({ logger });
  const metrics = createMetrics();
  const instanceId = randomUUID();
  const trust = createProxyTrust(config.trustProxy);
  const originPolicy = createOriginPolicy({ allowed: config.frontendUrls });

  const redis = config.redisUrl && !config.embedded ? createRedis({ url: config.redisUrl, logger }) : null;
  if (redis) lifecycle.add('redis', redis);

  const demo = config.production ? null : createDemoNode({ logger });
  const demoAt = demo ? await demo.start() : null;
  if (demo) lifecycle.add('demo node', demo);

  // Sessions and SSH
  const storeOptions = {
    secrets: config.sessionSecrets,
    ttlMs: config.sessionTtlMs,
    maxAgeMs: config.sessionMaxAgeMs,
    sealPlain: config.sealPlainSessions,
  };
  const sessions = redis
    ? createRedisSessionStore({ ...storeOptions, redis })
    : createMemorySessionStore(storeOptions);
  lifecycle.add('sessions', sessions);
  const targets = createTargetPolicy({
    ...(config.sshAllowedHosts ? { allowed: config.sshAllowedHosts } : {}),
    alwaysAllow: demoAt ? [demoAt] : [],
  });
  const pins = redis ? createRedisHostKeyPins(redis) : createMemoryHostKeyPins();
  const pool = createSshPool({ hostKeys: createHostKeyPolicy({ pins }), targets, logger });
  lifecycle.add('ssh', pool);
  // Logins and downloads that are being answered need what stands above; streams are handed over meanwhile.
  lifecycle.add('requests', () => drain());
  const logins = createLogins({
    pool,
    sessions,
    limits: createLoginLimits(redis ? { redis } : {}),
    targets,
    onLogin: (outcome) => metrics.count('tailwire_logins_total', { result: outcome ?? 'ok' }),
  });

  // Logs and status
  const store = redis ? createRedisStreams({ redis, logger }) : createMemoryStreams();
  lifecycle.add('streams', store);
  const leases = redis ? createRedisLeases({ redis, instanceId, logger }) : createMemoryLeases();
  lifecycle.add('leases', leases);
  const logs = createLogService({
    pool,
    store,
    leases,
    secrets: config.sessionSecrets,
    logger,
    onLines: (count) => metrics.count('tailwire_log_lines_total', {}, count),
  });
  lifecycle.add('logs', logs);
  const pubSub = redis && { publisher: redis.duplicate('commands'), subscriber: redis.subscriber() };
  const canary = pubSub && createCanary({ ...pubSub, logger });
  if (canary) lifecycle.add('canary', canary);
  const { io, bus } = createIo({
    origins: config.frontendUrls,
    proxyTrust: trust,
    maxPayloadBytes: config.maxPayloadBytes,
    ...(pubSub ? { adapter: createRedisAdapter({ ...pubSub, prefix: keys.bus(), logger }) } : {}),
  });
  const board = redis ? createRedisBoard({ redis, bus }) : createMemoryBoard({ clock: systemClock });
  lifecycle.add('status board', board);
  const status = createStatusFeed({
    probe: createProber({ pool }),
    follow: logs.followJournal,
    lastLines: logs.lastLines,
    unitFacts: logs.unitFacts,
    clock: systemClock,
    random: Math.random,
    logger,
    board,
    leases,
    instanceId,
  });
  lifecycle.add('status', status);

  // Rooms
  const hub = createHub({
    instanceId,
    bus,
    presence: redis ? createRedisPresence({ redis, instanceId }) : createMemoryPresence({ instanceId }),
    history: redis ? createRedisHistory({ redis }) : createMemoryHistory(),
    maxPayloadBytes: config.maxPayloadBytes,
    logger,
    onDelivered: (members, count) => metrics.count('tailwire_room_deliveries_total', {}, members * count),
  });
  lifecycle.add('rooms', hub);
  const jwts = config.jwtSecret === undefined ? null : createJwts({ secret: config.jwtSecret });
  const roomTokens = config.hmacSecret === undefined ? null : createRoomTokens({ secret: config.hmacSecret });
  const rooms =
    roomTokens &&
    createRoomHost({
      hub,
      tokens: roomTokens,
      handlers: await discoverHandlers({
        dirs: [BUILT_IN_DIR, ...(config.roomsDir ? [config.roomsDir] : [])],
        logger,
      }),
      replays: redis ? createRedisReplayGuard({ redis }) : createMemoryReplayGuard(),
      logger,
      instanceId,
      maxPayloadBytes: config.maxPayloadBytes,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
    });
  if (rooms) lifecycle.add('room handlers', rooms);
  const requests = createRequests({ instanceId, bus, logger, clustered: redis !== null });
  lifecycle.add('requests', requests);
  // Asked in this order: the first that knows an address has it. One line for each dialect.
  const dialects: readonly Dialect[] = [
    createMbDialect({ hub, requests, jwts }),
    createNexusDialect({ hub, jwts }),
    createEchoDialect({ rooms }),
    createKeyValidationDialect({
      keys:
        config.validationUrl === undefined ? null : createKeyService({ url: config.validationUrl, logger }),
      production: config.production,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
    }),
  ];
  for (const { name, off, notice } of dialects) {
    if (off) logger.warn(`The ${name} dialect is off: ${off}.`);
    else if (notice) logger.warn(`The ${name} dialect: ${notice}.`);
  }

  // The edges
  const webSockets = createWebSockets({
    dialects,
    originAllowed: originPolicy,
    proxyTrust: trust,
    logger,
    maxPayloadBytes: config.maxPayloadBytes,
    messageRate: config.messageRate,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    clientTimeoutMs: config.clientTimeoutMs,
    onError: (code) => metrics.count('tailwire_errors_total', { code }),
    onMessage: (dialect) => metrics.count('tailwire_websocket_messages_total', { dialect }),
    onClose: (dialect, code) =>
      metrics.count('tailwire_websocket_closes_total', { dialect, code: String(code) }),
  });
  const watch = createSessionWatch({
    store: sessions,
    onEnd: (end) => bus.publish('session_end', end),
    maxAgeMs: config.sessionMaxAgeMs,
    logger,
  });
  lifecycle.add('session watch', watch);
  redis?.onUp(watch.check);
  const countStrangers = (kind: string, limits: StrangerLimits) => {
    const onTurnedOut = () => metrics.count('tailwire_turned_out_total', { kind });
    const strangers = createStrangers({ ...limits, onTurnedOut });
    metrics.readAtScrape('tailwire_unknown_connections', { kind }, strangers.count);
    return strangers;
  };
  const gateway = createGateway({
    logger,
    units: config.allowedUnits,
    sessions,
    logs,
    status,
    prove: logins.prove,
    hub,
    grants: createGrants({ jwts, roomTokens, vouch: async (claims, from) => rooms?.vouch(claims, from) }),
    // Anybody with a host of their own can get a session, so in production a room takes a token.
    sessionRooms: !config.production,
    watch: (token: string, session: Session) => watch.register(token, session),
    io,
    bus,
    originAllowed: originPolicy,
    authTimeoutMs: config.authTimeoutMs,
    strangers: countStrangers('socketio', UNKNOWN_LIMITS),
    messageRate: config.messageRate,
    onError: (code) => metrics.count('tailwire_errors_total', { code }),
  });

  const demoTarget = (): SshTarget | null =>
    demoAt && {
      host: demoAt.host,
      port: demoAt.port,
      username: demoAt.username,
      credential: { method: 'password', password: demoAt.password },
      // Its key is new at each start, and the port may be that of an earlier one whose key is pinned.
      hostKey: demoAt.hostKey.fingerprint,
    };

  const http = createHttpApp({
    config,
    version: packageVersion(),
    logger,
    metrics,
    trust,
    originPolicy,
    sessions,
    login: logins.login,
    async logout(token) {
      const session = await sessions.get(token);
      const existed = await sessions.revoke(token);
      if (session) bus.publish('session_end', { sessionId: session.id, reason: 'logout' });
      return existed;
    },
    demoTarget,
    downloads: {
      async *download({ session, clientAddress, service, since, until, level, grep, signal }) {
        await logins.prove(session, clientAddress);
        yield* logs.download(session, service, {
          sinceUs: since === undefined ? undefined : since * 1000,
          untilUs: until === undefined ? undefined : until * 1000,
          level,
          grep,
          signal,
        });
      },
    },
    loginLimit: createRateLimit({
      name: 'login',
      perMinute: config.httpRate,
      ...(redis ? { redis: redis.commands } : {}),
    }),
    rooms: rooms && {
      host: rooms,
      tokens: roomTokens,
      issuerKey: config.issuerKey,
      postLimit: createRateLimit({
        name: 'post',
        perMinute: 60 * config.messageRate,
        ...(redis ? { redis: redis.commands } : {}),
      }),
      maxPayloadBytes: config.maxPayloadBytes,
    },
    readiness() {
      const checks = {
        accepting: !lifecycle.stopping,
        ...(canary ? { redis: redis?.isUp() === true && canary.alive() } : {}),
      };
      return { ready: Object.values(checks).every(Boolean), checks };
    },
    counts: () => ({
      rooms: hub.stats().rooms,
      clients: gateway.connections() + webSockets.connections(),
    }),
    dashboardDir: join(packageRoot(), 'dashboard', 'out'),
  });

  const server = createNodeServer((request: IncomingMessage, response: ServerResponse) => {
    if (gateway.handles(request)) gateway.request(request, response);
    else http(request, response);
  }, config);
  guardConnections(server, { trust, strangers: countStrangers('http', IDLE_LIMITS) });
  const drain = createDrain(server);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node has taken its own listeners off: a client that resets the connection now would end the process.
    socket.on('error', destroyBroken);
    if (!isWebSocketUpgrade(request)) answerWithoutUpgrade(server, request, socket, head);
    else if (gateway.handles(request)) gateway.upgrade(request, socket, head);
    else webSockets.upgrade(request, socket, head);
  });

  metrics.readAtScrape('tailwire_sockets', { kind: 'socketio' }, () => gateway.connections());
  for (const { name } of dialects) {
    metrics.readAtScrape('tailwire_sockets', { kind: name }, () => webSockets.connections(name));
  }
  metrics.readAtScrape('tailwire_rooms', {}, () => hub.stats().rooms);
  metrics.readAtScrape('tailwire_ssh_connections', {}, () => pool.stats().connections);
  metrics.readAtScrape('tailwire_ssh_channels', {}, () => pool.stats().channels);
  metrics.readAtScrape('tailwire_streams_owned', {}, () => logs.stats().owned);

  return {
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: config.port, host: config.host, backlog: BACKLOG }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      // Stopped in reverse order: first no new connections, then those that are open, then what serves them.
      lifecycle.add('http server', () => void drain());
      lifecycle.add(
        'connections',
        // Streams are handed over at once, not only when the last client has gone: others wait for them [LOG-3].
        async () => void (await Promise.all([gateway.stop(), webSockets.stop(), logs.stop()])),
        {
          timeoutMs: 4000,
        },
      );
      const { port } = server.address() as AddressInfo;
      const scheme = config.tlsCert ? 'https' : 'http';
      const host = config.host.includes(':') ? `[${config.host}]` : config.host;
      return { url: `${scheme}://${host}:${port}` };
    },
    reload: createTlsReload({ server, tls: config, logger }),
    stop: () => lifecycle.stop(),
  };
}
