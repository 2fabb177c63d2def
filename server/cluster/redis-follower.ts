import { sleep } from '../core/sleep.ts';
import type { Logger } from '../core/types.ts';
import { BLOCK_MAX_MS, type RedisConnections } from '../redis/connections.ts';
import { keys } from '../redis/keys.ts';
import { type RawEntry, readBatch } from './redis-batch.ts';
import type { StreamHead, StreamStore } from './types.ts';

/** Batches of one stream taken with one answer. */
const READ_COUNT = 100;
/**
 * How often the epochs of the followed streams are looked at, in ms. A stream that ended and began anew by a clock that was
 * set back meanwhile counts from below the place where its followers wait, and no read would ever tell.
 */
const LOOK_MS = 2000;
/** Longest wait of one read, in ms; a new follower interrupts it. */
const BLOCK_MS = Math.min(1000, BLOCK_MAX_MS);

interface Follower {
  stream: string;
  after: StreamHead | null;
  handler: Parameters<StreamStore['follow']>[2];
}

/** Reads all followed streams of one instance with one blocking command on one connection. */
export function createStreamFollower(deps: { redis: RedisConnections; logger: Logger }) {
  const { redis, logger } = deps;
  const stopping = new AbortController();
  const followers = new Map<string, Set<Follower>>();
  let idle: (() => void) | null = null;
  /** CLIENT ID of the connection that is blocked now. */
  let blockedId: number | null = null;
  let blocking: ReturnType<RedisConnections['blocking']> | null = null;
  let running: Promise<void> | null = null;

  function interrupt(): void {
    idle?.();
    // Not reaching Redis is no harm: the read ends by its own time limit.
    if (blockedId !== null) redis.commands.call('CLIENT', 'UNBLOCK', String(blockedId)).catch(() => {});
  }

  function drop(follower: Follower): void {
    const group = followers.get(follower.stream);
    group?.delete(follower);
    if (group?.size === 0) followers.delete(follower.stream);
  }

  function hand(follower: Follower, entries: readonly RawEntry[]): void {
    for (const entry of entries) {
      if (!followers.get(follower.stream)?.has(follower)) return;
      const batch = readBatch(entry);
      const last = batch.firstSeq + batch.count - 1;
      const { after } = follower;
      if (after && batch.epoch === after.epoch && last <= after.seq) continue;
      if (!after || batch.epoch !== after.epoch || batch.firstSeq !== after.seq + 1) {
        drop(follower);
        follower.handler.onReset();
        return;
      }
      follower.after = { epoch: batch.epoch, seq: last, cursor: batch.cursor };
      follower.handler.onBatch(batch);
    }
  }

  const position = (group: ReadonlySet<Follower>) =>
    Math.min(...[...group].map((follower) => follower.after?.seq ?? 0));

  async function readOnce(client: ReturnType<RedisConnections['blocking']>): Promise<void> {
    const names = [...followers.keys()];
    const ids = names.map((name) => `${position(followers.get(name) ?? new Set())}-0`);
    const streams = names.map((name) => keys.stream(name));
    const request = ['COUNT', String(READ_COUNT), 'BLOCK', String(BLOCK_MS), 'STREAMS', ...streams, ...ids];
    // By its own method, which gives the reply of RESP3 the shape of RESP2; `call` would not.
    const reply: unknown = await Reflect.apply(client.xread, client, request);
    for (const [key, entries] of (reply ?? []) as [string, RawEntry[]][]) {
      const name = names[streams.indexOf(key)];
      for (const follower of [...(followers.get(name ?? '') ?? [])]) hand(follower, entries);
    }
  }

  /**
   * Whoever follows an epoch that is over starts anew: after an outage, since a server that lost its data may have a clock
   * that is behind, and now and then.
   */
  async function resetLost(): Promise<void> {
    const groups = [...followers].map(([name, group]) => ({ name, members: [...group] }));
    const epochs = await redis.run((commands) =>
      Promise.all(groups.map(({ name }) => commands.hget(keys.streamHead(name), 'epoch'))),
    );
    for (const [n, { members }] of groups.entries()) {
      for (const follower of members) {
        if ((follower.after?.epoch ?? null) === epochs[n] || !followers.get(follower.stream)?.has(follower))
          continue;
        drop(follower);
        follower.handler.onReset();
      }
    }
  }

  async function run(): Promise<void> {
    const client = redis.blocking();
    blocking = client;
    let connected = false;
    let doubtful = false;
    let lookedAt = performance.now();
    client.on('ready', () => {
      doubtful ||= connected;
      connected = false;
    });
    while (!stopping.signal.aborted) {
      if (followers.size === 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
        idle = null;
        continue;
      }
      try {
        if (!connected) {
          blockedId = Number(await client.call('CLIENT', 'ID'));
          connected = true;
        }
        if (doubtful || performance.now() - lookedAt > LOOK_MS) {
          await resetLost();
          doubtful = false;
          lookedAt = performance.now();
        }
        await readOnce(client);
      } catch (error) {
        blockedId = null;
        doubtful ||= connected;
        connected = false;
        if (stopping.signal.aborted) break;
        logger.debug('stream read failed', { error: String(error) });
        await sleep(100, stopping.signal);
        await redis.whenUp(1000);
      }
    }
    client.disconnect();
  }

  return {
    follow: ((stream, after, handler) => {
      const follower: Follower = { stream, after, handler };
      const group = followers.get(stream) ?? new Set();
      followers.set(stream, group.add(follower));
      running ??= run();
      interrupt();
      return { stop: () => drop(follower) };
    }) satisfies StreamStore['follow'],
    async stop(): Promise<void> {
      stopping.abort();
      followers.clear();
      idle?.();
      // Not by interrupting the read: a Redis that hangs would hold it for seconds more.
      blocking?.disconnect();
      await running;
    },
  };
}
