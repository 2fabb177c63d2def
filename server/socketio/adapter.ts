import { createAdapter } from '@socket.io/redis-adapter';
import type { Logger } from '../core/types.ts';

/** Time an answer of another instance may take, in ms. Nothing a client waits for depends on one. */
const REQUESTS_TIMEOUT_MS = 2000;

/** The commands of the adapter whose failure it does not handle itself. */
const PROMISED = new Set(['publish', 'psubscribe', 'subscribe', 'punsubscribe', 'unsubscribe']);

/**
 * A Redis client whose pub/sub commands never reject: the adapter does not look at their promises, and an unhandled
 * rejection ends a Node process. What is lost while Redis is away is lost to pub/sub by its nature; nothing that must
 * arrive relies on it alone.
 */
function forgiving<T extends object>(client: T, logger: Logger): T {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (typeof name !== 'string' || !PROMISED.has(name)) return method;
      return (...args: unknown[]) => {
        const result = method(...args);
        if (result instanceof Promise) {
          result.catch((error: unknown) =>
            logger.debug('adapter message lost', { command: name, error: String(error) }),
          );
        }
        return result;
      };
    },
  });
}

/** The Socket.IO adapter over Redis: rooms and inter-server events reach all instances. */
export function createRedisAdapter(deps: {
  publisher: object;
  subscriber: object;
  prefix: string;
  logger: Logger;
}) {
  const { logger, prefix } = deps;
  return createAdapter(forgiving(deps.publisher, logger), forgiving(deps.subscriber, logger), {
    key: prefix,
    requestsTimeout: REQUESTS_TIMEOUT_MS,
    publishOnSpecificResponseChannel: true,
  });
}
