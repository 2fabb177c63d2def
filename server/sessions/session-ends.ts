import type { SessionEnds } from './types.ts';

/** The announcements of a single instance: whoever publishes here is heard here. A cluster puts its bus in between. */
export function createLocalSessionEnds(): SessionEnds {
  const listeners = new Set<Parameters<SessionEnds['onEnd']>[0]>();
  return {
    publish(end) {
      for (const listener of [...listeners]) listener(end);
    },
    onEnd(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
