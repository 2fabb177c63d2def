import { createTopicIndex, type TopicIndex } from '../topics.ts';

/** An instance that has said nothing for this long is taken for gone, in ms; a living one says so three times as often. */
export const SILENCE_MS = 6000;
/** Patterns of one instance that the others know of; whoever takes requests on further ones is found by asking. */
export const OFFERS_MAX = 20_000;

/** What instances tell each other about who takes requests: which patterns, and how many subscribers each has. */
export type DirectoryMessage =
  /** One pattern has changed; 0 takes it out. `revision` counts the changes of the sender. */
  | { kind: 'offer'; from: string; revision: number; pattern: string; count: number }
  | { kind: 'all'; from: string; revision: number; offers: [pattern: string, count: number][] }
  /** Said from time to time: the sender lives, and has told this many changes. */
  | { kind: 'alive'; from: string; revision: number };

interface Instance {
  revision: number;
  offers: TopicIndex<number>;
  heardAt: number;
}

/** What this instance knows of the others. */
export function createDirectory(deps: { now: () => number }) {
  const { now } = deps;
  const instances = new Map<string, Instance>();

  return {
    /** @returns false where something of the sender has been missed, and all of it is needed */
    take(message: DirectoryMessage): boolean {
      let known = instances.get(message.from);
      if (!known && message.kind === 'offer' && message.revision === 1) {
        // The first thing it ever says.
        known = { revision: 0, offers: createTopicIndex<number>(), heardAt: now() };
        instances.set(message.from, known);
      }
      if (known) known.heardAt = now();
      switch (message.kind) {
        case 'all': {
          const offers = createTopicIndex<number>();
          for (const [pattern, count] of message.offers.slice(0, OFFERS_MAX)) offers.set(pattern, count);
          instances.set(message.from, { revision: message.revision, offers, heardAt: now() });
          return true;
        }
        case 'offer':
          if (known?.revision !== message.revision - 1) return known?.revision === message.revision;
          known.revision = message.revision;
          if (message.count > 0 && (known.offers.size < OFFERS_MAX || known.offers.get(message.pattern)))
            known.offers.set(message.pattern, message.count);
          else known.offers.delete(message.pattern);
          return true;
        case 'alive':
          return known?.revision === message.revision;
      }
    },
    /** How many subscribers of a topic each other instance has. */
    find(topic: string): [instance: string, count: number][] {
      const found: [string, number][] = [];
      for (const [id, { offers, heardAt }] of instances) {
        if (now() - heardAt > SILENCE_MS) {
          instances.delete(id);
          continue;
        }
        const count = offers.match(topic).reduce((sum, one) => sum + one, 0);
        if (count > 0) found.push([id, count]);
      }
      return found;
    },
    forget: (instance: string): void => void instances.delete(instance),
  };
}
