import type { NexusAnswer, NexusRequest } from '../shared/nexus.ts';
import { createListeners } from './store.ts';

/** A message of a channel: published by a client (`message`, with `from`) or by the server (`broadcast`). */
export type NexusMessage = Extract<NexusAnswer, { type: 'message' | 'broadcast' }>;
/** A path into `data` (dots reach into objects) and the value that must stand there. */
export type NexusFilters = Readonly<Record<string, unknown>>;
export type NexusListener = (message: NexusMessage) => void;

/** Different filters that the server takes for one channel of one connection. */
const FILTERS_MAX = 16;
/** Key of a subscription that filters nothing. */
const ALL = '{}';

interface Subscription {
  readonly key: string;
  readonly filters: NexusFilters;
  readonly listener: NexusListener;
}

interface Channel {
  readonly subscriptions: Set<Subscription>;
  /** Keys of the filters that the server has for this channel on the present connection. */
  held: Set<string>;
}

export interface NexusChannels {
  /** @throws TypeError where the filters cannot be written as JSON */
  add(channel: string, filters: NexusFilters, listener: NexusListener): () => void;
  /** Gives a message to the listeners whose own filters it passes. */
  deliver(message: NexusMessage): void;
  /** A new connection: the server knows nothing yet. */
  forget(): void;
  /** What brings the server to what is wanted, for one channel that needs it; null where none does. */
  nextRequests(): NexusRequest[] | null;
  readonly pending: boolean;
  clear(): void;
}

/**
 * The channels somebody listens to, and what the server has been told of them. The server sends a message once, whichever
 * of a channel's filters it passes, so each listener's own filter is applied here again. An ended filter stays on the
 * server until the channel has no listener left: taking it back would mean leaving the channel for a moment.
 *
 * @param changed called when there is something to tell the server
 */
export function createNexusChannels(changed: () => void): NexusChannels {
  const channels = new Map<string, Channel>();
  const dirty = new Set<string>();

  function requestsFor(name: string): NexusRequest[] {
    const channel = channels.get(name);
    if (channel === undefined) return [];
    const wanted = new Map([...channel.subscriptions].map(({ key, filters }) => [key, filters]));
    if (wanted.size === 0) {
      channels.delete(name);
      return channel.held.size > 0 ? [{ action: 'unsubscribe', channel: name }] : [];
    }
    if (channel.held.has(ALL)) return [];
    const missing = [...wanted].filter(([key]) => !channel.held.has(key));
    const requests: NexusRequest[] = [];
    let chosen = missing;
    if (channel.held.size + missing.length > FILTERS_MAX) {
      if (channel.held.size > 0) requests.push({ action: 'unsubscribe', channel: name });
      // Too many for the server: it sends everything, and only the listeners' own filters are left.
      chosen = wanted.size > FILTERS_MAX ? [[ALL, {}]] : [...wanted];
      channel.held = new Set();
    }
    for (const [key, filters] of chosen) {
      channel.held.add(key);
      requests.push({ action: 'subscribe', channel: name, ...(key === ALL ? {} : { filters }) });
    }
    return requests;
  }

  function mark(name: string): void {
    dirty.add(name);
    changed();
  }

  return {
    add(name, filters, listener) {
      // A copy: what the caller changes later is not what the server was told.
      const key = JSON.stringify(filters);
      const copy = JSON.parse(key) as NexusFilters;
      const subscription: Subscription = { key, filters: copy, listener };
      const channel = channels.get(name) ?? {
        subscriptions: new Set<Subscription>(),
        held: new Set<string>(),
      };
      channels.set(name, channel);
      channel.subscriptions.add(subscription);
      mark(name);
      return () => {
        if (channel.subscriptions.delete(subscription)) mark(name);
      };
    },
    deliver(message) {
      const calls = createListeners();
      const subscriptions = channels.get(message.channel)?.subscriptions;
      for (const one of subscriptions ?? []) {
        if (!passes(message.data, one.filters)) continue;
        calls.add(() => {
          // The listener before it may have ended it.
          if (subscriptions?.has(one)) one.listener(message);
        });
      }
      calls.notify();
    },
    forget() {
      for (const [name, channel] of channels) {
        channel.held = new Set();
        dirty.add(name);
      }
    },
    nextRequests() {
      for (const name of dirty) {
        dirty.delete(name);
        const requests = requestsFor(name);
        if (requests.length > 0) return requests;
      }
      return null;
    },
    get pending() {
      return dirty.size > 0;
    },
    clear() {
      channels.clear();
      dirty.clear();
    },
  };
}

/** Field equality as on the server [WS-1]: every path must be there and equal. A key with dots in it wins. */
function passes(data: unknown, filters: NexusFilters): boolean {
  return Object.entries(filters).every(([path, value]) => {
    const direct = own(data, path);
    return equal(direct === undefined ? path.split('.').reduce(own, data) : direct, value);
  });
}

/** Own properties only, so that nothing inherited is looked at. */
function own(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Whether two JSON values are the same. */
function equal(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
