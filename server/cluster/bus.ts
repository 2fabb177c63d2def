/**
 * Short messages between instances, carried by the Socket.IO adapter. Best effort: what is sent while Redis is away or a
 * subscription is being renewed is lost, so nothing that must arrive relies on it alone.
 */
export interface Bus {
  /** Sends to all instances, this one included, which hears it at once. `message` is plain data. */
  publish(topic: BusTopic, message: unknown): void;
  /** @returns its remover */
  on(topic: BusTopic, listener: (message: unknown) => void): () => void;
}

export type BusTopic = 'session_end' | 'status' | 'status_wish' | 'rooms' | 'requests';

/** The bus of a single instance, and the local half of every other: `forward` passes a message to the other instances. */
export function createBus(forward: (topic: BusTopic, message: unknown) => void = () => {}) {
  const listeners = new Map<BusTopic, Set<(message: unknown) => void>>();
  const deliver = (topic: BusTopic, message: unknown) => {
    for (const listener of [...(listeners.get(topic) ?? [])]) listener(message);
  };
  return {
    publish(topic, message) {
      deliver(topic, message);
      forward(topic, message);
    },
    on(topic, listener) {
      const group = listeners.get(topic) ?? new Set();
      listeners.set(topic, group.add(listener));
      return () => void group.delete(listener);
    },
    /** A message that came from another instance. */
    deliver,
  } satisfies Bus & { deliver: typeof deliver };
}
