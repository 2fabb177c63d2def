import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearClock, createClock, type FakeClock, giveClock, type HostClock } from '../lab/clock.ts';
import type { LabHost } from '../lab/host.ts';
import { type RedisServer, type Sentinels, startRedis, startSentinels } from '../lab/redis.ts';
import { waitFor } from '../lab/wait.ts';
import { createHostPath, type HostPath } from './host-path.ts';
import { createInstance, type Instance } from './instance.ts';
import { ALL_UNITS } from './production.ts';
import type { Random } from './random.ts';
import { createRelay, type Relay } from './relay.ts';

/** The hosts that a rig watches, and how to log in to them. */
export interface Hosts {
  readonly hosts: readonly LabHost[];
  /** CIDR of all of them. */
  readonly subnet: string;
  readonly username: string;
  readonly password: string;
}

export interface RigOptions {
  /** Servers; 3 unless told. */
  instances?: number;
  /** A primary with a replica and three sentinels instead of one Redis. */
  sentinels?: boolean;
  /** Puts a relay of ours between each instance and Redis. */
  redisRelays?: boolean;
  /** Puts a relay between the viewers and each instance. */
  viewerRelays?: boolean;
  /** Puts one relay between all instances and the first host's sshd. */
  sshRelay?: boolean;
  /** Gives each instance a way of its own to the first host; it runs as a user of its own for that. */
  hostPaths?: boolean;
  /** Gives each instance, the one Redis and the first host's journald a clock of its own. */
  clocks?: boolean;
}

/** What most scenarios need. */
export const PLAIN: RigOptions = {};
/** For faults of the network that bytes survive. */
export const RELAYED: RigOptions = { redisRelays: true, viewerRelays: true, sshRelay: true };

/** The one redis-server keeps its data, as far as a crash lets it. */
const REDIS_ARGS = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

/** Three servers, a Redis and hosts: everything real, everything ours to break. */
export interface Rig {
  readonly hosts: readonly LabHost[];
  readonly instances: readonly Instance[];
  /** The one redis-server; with sentinels the first primary. */
  readonly redis: RedisServer;
  readonly sentinels: Sentinels | null;
  /** By instance; empty unless asked for. */
  readonly redisRelays: readonly Relay[];
  readonly viewerRelays: readonly Relay[];
  readonly sshRelay: Relay | null;
  readonly hostPaths: readonly HostPath[];
  /** Null unless asked for. */
  readonly clocks: { instances: readonly FakeClock[]; redis: FakeClock; host: HostClock } | null;
  /** Addresses for viewers. */
  readonly addresses: readonly { url(): string | null }[];
  /** Logs in to a host over HTTP, at the first instance unless told. @returns the session's token */
  login(host?: LabHost, at?: Instance): Promise<string>;
  /** The instances that read a journal for the cluster now. */
  owners(): Promise<Instance[]>;
  /** Waits until exactly one instance does, and is not the one named; an instance that does not answer in time proves nothing. */
  owner(options?: { otherThan?: Instance; timeoutMs?: number }): Promise<Instance>;
  /** Keys that would stay for ever. */
  lastingKeys(): Promise<string[]>;
  /** Ends and removes everything; repeated calls share one promise. */
  stop(): Promise<void>;
}

/** Lua: the names of all keys without an end. */
const LASTING_KEYS = `local lasting = {}
for _, name in ipairs(redis.call('keys', '*')) do
  if redis.call('ttl', name) == -1 then lasting[#lasting + 1] = name end
end
return lasting`;
/** User ids for `hostPaths`: far above those that a system gives out. */
const FIRST_UID = 61_001;

export async function createRig(lab: Hosts, random: Random, options: RigOptions = {}): Promise<Rig> {
  const ends: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      for (let end = ends.pop(); end; end = ends.pop()) await end();
    })();
    return stopping;
  };
  try {
    return await build(lab, random, options, ends, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(
  lab: Hosts,
  random: Random,
  options: RigOptions,
  ends: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Rig> {
  const count = options.instances ?? 3;
  const folder = await mkdtemp(join(tmpdir(), 'tailwire-chaos-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const instances: Instance[] = [];

  const sentinels = options.sentinels ? await startSentinels({ downAfterMs: 2000 }) : null;
  if (sentinels) ends.push(sentinels.stop);
  const makeClock = (name: string) => createClock(join(folder, `clock-${name}`));
  const redisClock = options.clocks ? await makeClock('redis') : null;
  if (redisClock) ends.push(() => Promise.all([redis, ...instances].map(({ pid }) => clearClock(pid))));
  const redis =
    sentinels?.servers[0] ??
    (await startRedis({ args: REDIS_ARGS, ...(redisClock ? { env: redisClock.env } : {}) }));
  if (!sentinels) ends.push(redis.stop);

  async function relays(wanted: boolean | undefined, target: (n: number) => { host: string; port: number }) {
    const made: Relay[] = [];
    for (let n = 0; wanted && n < count; n++) {
      const relay = await createRelay(() => target(n), random.next);
      ends.push(relay.stop);
      made.push(relay);
    }
    return made;
  }
  const redisRelays = await relays(options.redisRelays, () => ({ host: '127.0.0.1', port: redis.port }));
  const [firstHost] = lab.hosts;
  if (!firstHost) throw new Error('A rig needs a host');
  const sshRelay = options.sshRelay
    ? await createRelay(() => ({ host: firstHost.address, port: firstHost.port }), random.next)
    : null;
  if (sshRelay) ends.push(sshRelay.stop);

  const secret = randomBytes(32).toString('base64');
  const token = randomBytes(24).toString('hex');
  const instanceClocks: FakeClock[] = [];
  for (let n = 0; options.clocks && n < count; n++) instanceClocks.push(await makeClock(`${n + 1}`));
  const hostClock = options.clocks ? await giveClock(firstHost) : null;
  if (hostClock) ends.push(hostClock.remove);
  const hostPaths: HostPath[] = [];
  // Where a way was cut, the host may not have heard of a connection's end, and without the way it never does.
  if (options.hostPaths) ends.push(async () => void firstHost.killSshd());
  for (let n = 0; n < count; n++) {
    const relay = redisRelays[n];
    if (options.hostPaths) {
      const path = await createHostPath({ uid: FIRST_UID + n, index: n, network: firstHost.network });
      ends.push(path.remove);
      hostPaths.push(path);
    }
    const instance = createInstance({
      name: `instance${n + 1}`,
      folder,
      ...(options.hostPaths ? { uid: FIRST_UID + n } : {}),
      env: {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: '0',
        REDIS_URL: sentinels?.url ?? (relay ? `redis://127.0.0.1:${relay.port}` : redis.url),
        SESSION_SECRET: secret,
        METRICS_TOKEN: token,
        SSH_ALLOWED_HOSTS: `${lab.subnet},127.0.0.0/8`,
        ALLOWED_UNITS: ALL_UNITS.join(','),
        LOG_LEVEL: 'debug',
        ...instanceClocks[n]?.env,
      },
    });
    ends.push(() => instance.kill());
    instances.push(instance);
  }
  await Promise.all(instances.map((instance) => instance.start()));
  const viewerRelays = await relays(options.viewerRelays, (n) => {
    const { hostname, port } = new URL(instances[n]?.url ?? 'http://127.0.0.1:1');
    return { host: hostname, port: Number(port) };
  });

  async function owners(): Promise<Instance[]> {
    const counts = await Promise.all(instances.map((instance) => instance.metric('tailwire_streams_owned')));
    return instances.filter((_, n) => (counts[n] ?? 0) > 0);
  }

  return {
    hosts: lab.hosts,
    instances,
    redis,
    sentinels,
    redisRelays,
    viewerRelays,
    sshRelay,
    hostPaths,
    clocks: redisClock && hostClock && { instances: instanceClocks, redis: redisClock, host: hostClock },
    addresses: instances.map((instance, n) => ({
      url: () => {
        const relay = viewerRelays[n];
        return instance.url !== null && relay ? `http://127.0.0.1:${relay.port}` : instance.url;
      },
    })),
    async login(host = firstHost, instance = instances[0]) {
      const at =
        sshRelay && host === firstHost
          ? { host: '127.0.0.1', port: sshRelay.port }
          : { host: host.address, port: host.port };
      const { username, password } = lab;
      const response = await fetch(`${instance?.url}/api/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...at, username, password, authMethod: 'password' }),
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`Login failed: ${response.status} ${text}`);
      return (JSON.parse(text) as { token: string }).token;
    },
    owners,
    owner: ({ otherThan, timeoutMs = 30_000 } = {}) =>
      waitFor(
        otherThan
          ? `another instance than ${otherThan.name} to own the stream`
          : 'one instance to own the stream',
        async () => {
          const found = await owners();
          return found.length === 1 && found[0] !== otherThan ? found[0] : undefined;
        },
        { timeoutMs },
      ),
    async lastingKeys() {
      const server = (await sentinels?.primary()) ?? redis;
      return (await server.cli('eval', LASTING_KEYS, '0')).split('\n').filter(Boolean).sort();
    },
    stop,
  };
}
