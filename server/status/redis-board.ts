import type { StatusTransition } from '../../shared/node-status.ts';
import type { Bus } from '../cluster/bus.ts';
import type { RedisConnections } from '../redis/connections.ts';
import { createFieldLeases } from '../redis/field-leases.ts';
import { keys } from '../redis/keys.ts';
import { defineScript } from '../redis/script.ts';
import type { HostSnapshot, StatusBoard, StatusWish } from './types.ts';

type Listener = Parameters<StatusBoard['onPublish']>[1];

/** A snapshot is forgotten after this many of its own intervals, or SNAPSHOT_MIN_MS. */
const SNAPSHOT_INTERVALS = 3;
const SNAPSHOT_MIN_MS = 60_000;

/** KEYS snapshot. ARGV fence, text, life in ms. */
const PUBLISH = `
local fence = redis.call('HGET', KEYS[1], 'fence')
if fence and tonumber(fence) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'snapshot', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

type Message =
  | { key: string; snapshot: HostSnapshot }
  | { key: string; by: string; transitions: StatusTransition[] };

/** The status board of a cluster: snapshots and wishes in Redis, their news over the bus. */
export function createRedisBoard(deps: { redis: RedisConnections; bus: Bus }): StatusBoard {
  const { redis, bus } = deps;
  const publish = defineScript(redis, PUBLISH);
  const wishes = createFieldLeases(redis);
  const listeners = new Map<string, Set<Listener>>();
  const wishListeners = new Map<string, Set<() => void>>();

  function listen<T>(map: Map<string, Set<T>>, key: string, listener: T): () => void {
    const group = map.get(key) ?? new Set();
    map.set(key, group.add(listener));
    return () => {
      group.delete(listener);
      if (group.size === 0 && map.get(key) === group) map.delete(key);
    };
  }

  const unlisten = [
    bus.on('status', (news) => {
      const message = news as Message;
      for (const listener of [...(listeners.get(message.key) ?? [])]) {
        if ('snapshot' in message) listener.onSnapshot(message.snapshot);
        else listener.onTransitions(message.by, message.transitions);
      }
    }),
    bus.on('status_wish', (key) => {
      for (const listener of [...(wishListeners.get(key as string) ?? [])]) listener();
    }),
  ];

  return {
    async read(key) {
      const text = await redis.run((client) => client.hget(keys.status(key), 'snapshot'));
      return text === null ? null : (JSON.parse(text) as HostSnapshot);
    },
    async publish(key, snapshot) {
      const life = Math.max(SNAPSHOT_MIN_MS, snapshot.every * SNAPSHOT_INTERVALS);
      const accepted = await publish([keys.status(key)], [snapshot.fence, JSON.stringify(snapshot), life]);
      if (accepted !== 1) return false;
      bus.publish('status', { key, snapshot } satisfies Message);
      return true;
    },
    async announce(key, by, transitions) {
      bus.publish('status', { key, by, transitions } satisfies Message);
    },
    onPublish: (key, listener) => listen(listeners, key, listener),
    async wish(key, instanceId, wanted, ttlMs) {
      const text = wanted === null ? '' : JSON.stringify(wanted);
      await wishes.put(instanceId, [[keys.statusWishes(key), text]], ttlMs);
      bus.publish('status_wish', key);
    },
    async wishes(key) {
      const found = await wishes.read(keys.statusWishes(key));
      return new Map([...found].map(([instance, text]) => [instance, JSON.parse(text) as StatusWish]));
    },
    onWish: (key, listener) => listen(wishListeners, key, listener),
    async stop() {
      for (const remove of unlisten) remove();
      listeners.clear();
      wishListeners.clear();
    },
  };
}
