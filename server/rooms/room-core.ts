import type { Logger, Stoppable } from '../core/types.ts';
import { type ControlRelay, createControlRelay } from './control-relay.ts';
import { createDelayQueue } from './delay-queue.ts';
import { type Processed, type RoomHooks, within } from './handlers/hooks.ts';
import type { RoomPayload, RoomSocket } from './handlers/types.ts';
import { encodeData } from './message.ts';
import { splitPayload } from './room-message.ts';
import type { Hub } from './types.ts';

/** Longest that a stop waits for handlers, in ms: as long as the server then waits for the answers to their pushes. */
const FINISH_MS = 2500;

/** Where a message comes from. */
export interface Sender {
  source: 'client' | 'server';
  from: string;
  /** Of the sender's token. */
  metadata: Readonly<Record<string, unknown>>;
  /** Who is accountable for it: the client of the token, or the address where there is none. */
  owner: string;
  /** Id of the hub member. */
  origin?: string;
}

/** A message that its handler has passed, and when it is to go. */
export interface Prepared extends Processed {
  delayMs: number;
}

/** What visits and pushes have in common: the way of a handled message to the hub. */
export interface RoomCore extends Stoppable {
  readonly hub: Hub;
  readonly logger: Logger;
  readonly relay: ControlRelay;
  /** Clients of a room that has a handler. */
  clients(room: string): Set<RoomSocket> | undefined;
  /** Somebody uses these hooks, until `release`. */
  hold(hooks: RoomHooks): void;
  release(hooks: RoomHooks): void;
  /** Puts a handled message together with its delay. */
  prepare(hooks: RoomHooks, done: Processed, sender: Sender): Promise<Prepared>;
  /** Work that a stop lets end [RUN-5]: a message or push that a handler is busy with. */
  during<T>(work: Promise<T>): Promise<T>;
  /** Publishes now or later. @throws AppError as `Hub.publish` and `DelayQueue.add` */
  publish(hooks: RoomHooks, original: RoomPayload, prepared: Prepared, sender: Sender): void;
}

export function createRoomCore(deps: {
  hub: Hub;
  logger: Logger;
  instanceId: string;
  /** Largest payload as JSON, in bytes. */
  maxPayloadBytes: number;
  clients: RoomCore['clients'];
  hold: RoomCore['hold'];
  release: RoomCore['release'];
}): RoomCore {
  const { hub, logger } = deps;
  const delays = createDelayQueue({ logger });
  const busy = new Set<Promise<unknown>>();
  const settled = async () => {
    while (busy.size > 0) await Promise.allSettled(busy);
  };
  return {
    hub,
    logger,
    relay: createControlRelay(deps),
    clients: deps.clients,
    hold: deps.hold,
    release: deps.release,
    async prepare(hooks, done, { source, metadata }) {
      const { payload } = done;
      return { ...done, delayMs: await hooks.delay({ room: hooks.room, payload, source, metadata }) };
    },
    during(work) {
      busy.add(work);
      const done = () => void busy.delete(work);
      work.then(done, done);
      return work;
    },
    publish({ room }, original, prepared, { source, from, owner: sender, origin }) {
      const { data, extra } = splitPayload(original, prepared, source);
      const { delayMs } = prepared;
      // What cannot be sent is refused now, not when it is due.
      const sizeOf = (part: unknown) => Buffer.byteLength(encodeData(part, deps.maxPayloadBytes));
      const bytes = delayMs > 0 ? sizeOf(data) + sizeOf(extra) : 0;
      delays.add({ room, sender, delayMs, bytes }, () => {
        hub.publish(room, { from, data, kind: source, ...(origin === undefined ? {} : { origin }), extra });
      });
    },
    async stop() {
      await within(settled(), FINISH_MS, 'room handlers').catch(() => {});
      await delays.stop();
    },
  };
}
