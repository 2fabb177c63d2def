import { randomUUID } from 'node:crypto';
import type { Logger, Stoppable } from '../core/types.ts';
import type { RedisClient } from './connections.ts';
import { keys } from './keys.ts';

/** How often a message is sent to oneself, in ms. */
const SING_MS = 1000;
/** Without hearing one for this long pub/sub does not work, in ms; well below the 15 s of [HTTP-1]. */
const SILENCE_MS = 5000;

export interface Canary extends Stoppable {
  /** Whether a message published now would arrive here, as far as the last seconds tell. */
  alive(): boolean;
}

/**
 * Proves all the time that pub/sub works end to end, over the very connections that the bus uses: a subscriber that has
 * silently lost its subscriptions looks healthy in every other respect (centrifugal/centrifugo#1189).
 */
export function createCanary(deps: {
  publisher: RedisClient;
  subscriber: RedisClient;
  logger: Logger;
  now?: () => number;
}): Canary {
  const { publisher, subscriber, logger, now = () => performance.now() } = deps;
  const channel = keys.canary(randomUUID());
  let heard = Number.NEGATIVE_INFINITY;
  let told = true;

  const alive = () => now() - heard < SILENCE_MS;
  const onMessage = (from: string) => {
    if (from === channel) heard = now();
  };
  subscriber.on('message', onMessage);
  const sing = () => void publisher.publish(channel, '').catch(() => {});
  // At once where both connections stand, so that an instance is ready as soon as it can be.
  const subscribe = () => subscriber.subscribe(channel).then(sing, () => {});
  publisher.on('ready', sing);
  void subscribe();

  const timer = setInterval(() => {
    sing();
    if (!alive()) void subscribe();
    if (alive() === told) return;
    told = alive();
    if (told) logger.info('pub/sub works again');
    else logger.warn('pub/sub is silent');
  }, SING_MS);

  return {
    alive,
    async stop() {
      clearInterval(timer);
      subscriber.off('message', onMessage);
      publisher.off('ready', sing);
    },
  };
}
