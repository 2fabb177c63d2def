/** A value outside React that can be read and watched. `get` returns the same object until the value changes. */
export interface Store<T> {
  get(): T;
  set(next: T): void;
  /** @returns a function that ends the subscription; calling it twice is harmless */
  subscribe(listener: () => void): () => void;
}

/** A store that tells its listeners of each change at once. For values that change rarely. */
export function createStore<T>(initial: T): Store<T> {
  const listeners = createListeners();
  let value = initial;
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      listeners.notify();
    },
    subscribe: listeners.add,
  };
}

export interface Listeners {
  add(listener: () => void): () => void;
  notify(): void;
}

/** A set of listeners in which one that throws does not keep the others from hearing. */
export function createListeners(): Listeners {
  // Each subscription is a function of its own: the same listener added twice is told twice and removed one by one.
  const entries = new Set<{ listener: () => void }>();
  return {
    add(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => {
        entries.delete(entry);
      };
    },
    notify() {
      for (const entry of [...entries]) {
        try {
          entry.listener();
        } catch (error) {
          // Reported as uncaught, where the page's own handlers see it; the other listeners still hear.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}
