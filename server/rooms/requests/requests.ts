import type { Bus } from '../../cluster/bus.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/types.ts';
import { createTopicIndex } from '../topics.ts';
import { createDirectory, type DirectoryMessage, OFFERS_MAX, SILENCE_MS } from './directory.ts';
import type { DeliveredRequest, RequestAnswer, RequestSource, Requests, Responder } from './types.ts';

/** Requests of one connection that may be open, and the bytes of their payloads. */
const OPEN_MAX = 256;
const OPEN_MAX_BYTES = 4 * 1024 * 1024;
/** Requests that one subscriber may owe an answer; others get the next ones. */
const SERVED_MAX = 1024;
/**
 * Where nobody is known to take a request the other instances are asked, in case a subscriber has just come; this is how
 * long they have, in ms.
 */
const SEARCH_MS = 300;

/** A request that somebody here waits for. */
interface Pending {
  readonly source: RequestSource;
  /** Its number between instances. */
  readonly route: string;
  readonly timer: NodeJS.Timeout;
  /** Instances that turned out to have nobody for it. */
  readonly without: Set<string>;
  search: NodeJS.Timeout | null;
  settle(answer: RequestAnswer | null | AppError): void;
}

/** Where the answer of a request that somebody here has been given goes. */
interface Served {
  readonly instance: string;
  readonly route: string;
  readonly timer: NodeJS.Timeout;
}

type Message =
  | DirectoryMessage
  /** Who has subscribers says all that it has; `to`: only one instance does. */
  | { kind: 'ask'; from: string; to?: string }
  /** Who could answer a request on this topic says so. */
  | { kind: 'seek'; from: string; topic: string }
  | { kind: 'have'; from: string; to: string; topic: string }
  | { kind: 'request'; from: string; to: string; route: string; request: DeliveredRequest }
  | { kind: 'answer'; to: string; route: string; answer: RequestAnswer }
  /** Nobody took it. */
  | { kind: 'none'; from: string; to: string; route: string }
  /** Somebody took it and left without an answer. */
  | { kind: 'gone'; to: string; route: string };

export interface RequestsDeps {
  instanceId: string;
  bus: Bus;
  logger: Logger;
  /** Whether there may be other instances. */
  clustered: boolean;
  now?: () => number;
  random?: () => number;
}

const left = () => new AppError('no_subscriber', { detail: 'the subscriber left before it answered' });

/** See `Requests`. Instances tell each other what their subscribers take, so that choosing one takes no round trip. */
export function createRequests(deps: RequestsDeps): Requests {
  const { instanceId, bus, logger, clustered, now = () => performance.now(), random = Math.random } = deps;
  const directory = createDirectory({ now });
  const offers = createTopicIndex<Set<Responder>>();
  const pending = new Map<string, Pending>();
  /** By connection that asks, by its own request ids. */
  const openOf = new Map<string, Map<string, Pending>>();
  /** By connection that answers, by request id. */
  const servedBy = new Map<string, Map<string, Served>>();
  /** Those that the other instances are being asked for. */
  const searching = new Set<Pending>();
  let revision = 0;
  let routes = 0;
  let turn = 0;
  let stopped: Promise<void> | undefined;

  const tell = (message: Message) => {
    if (clustered) bus.publish('requests', message);
  };
  const tellAll = () =>
    tell({
      kind: 'all',
      from: instanceId,
      revision,
      offers: Array.from(offers.entries(), ([pattern, { size }]): [string, number] => [pattern, size]).slice(
        0,
        OFFERS_MAX,
      ),
    });

  function changed(pattern: string, count: number): void {
    revision += 1;
    tell({ kind: 'offer', from: instanceId, revision, pattern, count });
  }

  /** Who here could take a request now. */
  function candidates({ topic, id }: Pick<DeliveredRequest, 'topic' | 'id'>): Responder[] {
    const all = new Set(offers.match(topic).flatMap((responders) => [...responders]));
    return [...all].filter((responder) => {
      const served = servedBy.get(responder.id);
      return responder.may(topic) && !served?.has(id) && (served?.size ?? 0) < SERVED_MAX;
    });
  }

  function give(
    responders: readonly Responder[],
    request: DeliveredRequest,
    instance: string,
    route: string,
  ): void {
    // Those here take turns.
    const responder = responders[turn++ % responders.length];
    if (!responder) return;
    const served = servedBy.get(responder.id) ?? new Map<string, Served>();
    const timer = setTimeout(() => drop(responder.id, request.id), request.timeoutMs).unref();
    servedBy.set(responder.id, served.set(request.id, { instance, route, timer }));
    try {
      responder.receive(request);
    } catch (error) {
      logger.error('a subscriber failed to take a request', { error });
    }
  }

  function drop(responder: string, requestId: string): Served | undefined {
    const all = servedBy.get(responder);
    const served = all?.get(requestId);
    if (!all || !served) return undefined;
    clearTimeout(served.timer);
    all.delete(requestId);
    if (all.size === 0) servedBy.delete(responder);
    return served;
  }

  /** Sends a request to one subscriber, if any is known. @returns whether there was one */
  function dispatch(entry: Pending): boolean {
    const { source, route } = entry;
    const { origin, ...request } = source;
    const all = candidates(source);
    const here = all.filter(({ id }) => id !== origin);
    const there = directory.find(source.topic).filter(([instance]) => !entry.without.has(instance));
    let chosen = Math.floor(random() * there.reduce((sum, [, count]) => sum + count, here.length));
    if (chosen < here.length || there.length === 0) {
      const takers = here.length > 0 ? here : all;
      if (takers.length === 0) return false;
      give(takers, request, instanceId, route);
      return true;
    }
    chosen -= here.length;
    const target = there.find(([, count]) => {
      chosen -= count;
      return chosen < 0;
    });
    pass(entry, target?.[0] ?? '');
    return true;
  }

  function pass({ source, route }: Pending, instance: string): void {
    const { origin: _origin, ...request } = source;
    tell({ kind: 'request', from: instanceId, to: instance, route, request });
  }

  function search(entry: Pending): void {
    const nobody = new AppError('no_subscriber');
    if (!clustered || entry.search) {
      entry.settle(nobody);
      return;
    }
    entry.search = setTimeout(() => entry.settle(nobody), SEARCH_MS).unref();
    searching.add(entry);
    tell({ kind: 'seek', from: instanceId, topic: entry.source.topic });
  }
  function endSearch(entry: Pending): void {
    if (entry.search) clearTimeout(entry.search);
    searching.delete(entry);
  }
  /** Something has changed: those that are being searched for are tried again. */
  function retry(): void {
    for (const entry of [...searching]) if (dispatch(entry)) endSearch(entry);
  }

  function hear(message: Message): void {
    if ('from' in message && message.from === instanceId) return;
    if ('to' in message && message.to !== undefined && message.to !== instanceId) return;
    switch (message.kind) {
      case 'offer':
      case 'all':
      case 'alive':
        if (!directory.take(message)) tell({ kind: 'ask', from: instanceId, to: message.from });
        else retry();
        break;
      case 'ask':
        if (offers.size > 0 || message.to) tellAll();
        break;
      case 'seek': {
        const { from: to, topic } = message;
        if (candidates({ topic, id: '' }).length > 0) tell({ kind: 'have', from: instanceId, to, topic });
        break;
      }
      case 'have':
        for (const entry of [...searching]) {
          if (entry.source.topic !== message.topic || entry.without.has(message.from)) continue;
          pass(entry, message.from);
          endSearch(entry);
        }
        break;
      case 'request': {
        const takers = candidates(message.request);
        if (takers.length > 0) give(takers, message.request, message.from, message.route);
        else tell({ kind: 'none', from: instanceId, to: message.from, route: message.route });
        break;
      }
      case 'answer':
        pending.get(message.route)?.settle(message.answer);
        break;
      case 'none': {
        const entry = pending.get(message.route);
        entry?.without.add(message.from);
        if (entry && !dispatch(entry)) search(entry);
        break;
      }
      case 'gone':
        pending.get(message.route)?.settle(left());
        break;
    }
  }
  const unlisten = bus.on('requests', (message) => hear(message as Message));
  tell({ kind: 'ask', from: instanceId });
  const alive = setInterval(
    () => tell({ kind: 'alive', from: instanceId, revision }),
    SILENCE_MS / 3,
  ).unref();

  return {
    serve(pattern, responder) {
      const responders = offers.get(pattern) ?? new Set();
      responders.add(responder);
      offers.set(pattern, responders);
      changed(pattern, responders.size);
      retry();
      return () => {
        if (!responders.delete(responder)) return;
        if (responders.size === 0) offers.delete(pattern);
        changed(pattern, responders.size);
      };
    },
    async request(source) {
      const open = openOf.get(source.origin) ?? new Map<string, Pending>();
      let bytes = source.json.length;
      for (const one of open.values()) bytes += one.source.json.length;
      if (open.size >= OPEN_MAX || bytes > OPEN_MAX_BYTES) {
        throw new AppError('rate_limited', { detail: 'too many requests are open' });
      }
      if (open.has(source.id)) throw new AppError('invalid_request', { detail: 'requestId is in use' });
      const route = `${instanceId}.${(++routes).toString(36)}`;
      return new Promise((resolve, reject) => {
        const entry: Pending = {
          source,
          route,
          without: new Set(),
          search: null,
          timer: setTimeout(() => entry.settle(new AppError('request_timeout')), source.timeoutMs).unref(),
          settle(answer) {
            if (!pending.delete(route)) return;
            clearTimeout(entry.timer);
            endSearch(entry);
            open.delete(source.id);
            if (open.size === 0) openOf.delete(source.origin);
            if (answer instanceof AppError) reject(answer);
            else resolve(answer);
          },
        };
        pending.set(route, entry);
        openOf.set(source.origin, open.set(source.id, entry));
        if (!dispatch(entry)) search(entry);
      });
    },
    answer(responder, requestId, answer) {
      const served = drop(responder, requestId);
      if (!served) return false;
      if (served.instance === instanceId) pending.get(served.route)?.settle(answer);
      else tell({ kind: 'answer', to: served.instance, route: served.route, answer });
      return true;
    },
    leave(connection) {
      for (const entry of [...(openOf.get(connection)?.values() ?? [])]) entry.settle(null);
      for (const requestId of [...(servedBy.get(connection)?.keys() ?? [])]) {
        const served = drop(connection, requestId);
        if (served?.instance === instanceId) pending.get(served.route)?.settle(left());
        else if (served) tell({ kind: 'gone', to: served.instance, route: served.route });
      }
    },
    stop() {
      stopped ??= (async () => {
        clearInterval(alive);
        unlisten();
        revision += 1;
        tell({ kind: 'all', from: instanceId, revision, offers: [] });
        for (const entry of [...pending.values()]) entry.settle(null);
        for (const all of servedBy.values()) for (const { timer } of all.values()) clearTimeout(timer);
      })();
      return stopped;
    },
  };
}
