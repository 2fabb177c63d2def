import { isReserved, isRoomName } from './room-name.ts';

/** Wildcards of topic patterns [WS-4]: one level, and the rest of them. */
const ONE = '+';
const REST = '#';

/** Whether a text names one topic: a room name of dotted levels, none of them empty or with a wildcard. */
export function isTopic(text: unknown): text is string {
  return isTopicPattern(text) && !hasWildcard(text);
}

/** Whether a text is a topic, or a pattern: `+` stands for a whole level, `#` for all the rest and only at the end. */
export function isTopicPattern(text: unknown): text is string {
  if (!isRoomName(text)) return false;
  const levels = text.split('.');
  return levels.every(
    (level, at) =>
      level !== '' && (level === ONE || (level === REST && at === levels.length - 1) || !hasWildcard(level)),
  );
}

export function hasWildcard(pattern: string): boolean {
  return pattern.includes(ONE) || pattern.includes(REST);
}

/** The patterns that begin with the levels on the way to it; `value` is that of the one that ends here. */
interface Node<T> {
  readonly next: Map<string, Node<T>>;
  value: T | undefined;
}

const createNode = <T>(): Node<T> => ({ next: new Map(), value: undefined });

/**
 * Values under topic patterns. What matches a topic is found in a time that depends on its levels and on what matches, not on
 * how many patterns there are: with 20 000 of them, one by one, each new topic took 13 ms. `a.#` matches `a` as well; a
 * wildcard in the first level does not match `system.*`, as in MQTT 4.7.2 for `$`.
 */
export function createTopicIndex<T>() {
  const exact = new Map<string, T>();
  const wild = new Map<string, T>();
  const root = createNode<T>();

  function plant(pattern: string, value: T): void {
    let node = root;
    for (const level of pattern.split('.')) {
      const next = node.next.get(level) ?? createNode<T>();
      node.next.set(level, next);
      node = next;
    }
    node.value = value;
  }

  /** @returns whether nothing is left of the node */
  function uproot(node: Node<T>, levels: readonly string[], at: number): boolean {
    const level = levels[at];
    if (level === undefined) node.value = undefined;
    else {
      const next = node.next.get(level);
      if (next && uproot(next, levels, at + 1)) node.next.delete(level);
    }
    return node.next.size === 0 && node.value === undefined;
  }

  function collect(node: Node<T>, levels: readonly string[], at: number, found: T[]): void {
    const rest = node.next.get(REST)?.value;
    if (rest !== undefined) found.push(rest);
    const level = levels[at];
    if (level === undefined) {
      if (node.value !== undefined) found.push(node.value);
      return;
    }
    // Rooms of other dialects may have levels that look like wildcards: these match themselves as wildcards only.
    for (const step of level === ONE || level === REST ? [ONE] : [level, ONE]) {
      const next = node.next.get(step);
      if (next) collect(next, levels, at + 1, found);
    }
  }

  return {
    get size() {
      return exact.size + wild.size;
    },
    get: (pattern: string): T | undefined => exact.get(pattern) ?? wild.get(pattern),
    set(pattern: string, value: T): void {
      if (!hasWildcard(pattern)) exact.set(pattern, value);
      else {
        wild.set(pattern, value);
        plant(pattern, value);
      }
    },
    delete(pattern: string): void {
      exact.delete(pattern);
      if (wild.delete(pattern)) uproot(root, pattern.split('.'), 0);
    },
    /** The values whose patterns match. */
    match(topic: string): T[] {
      const found: T[] = [];
      const one = exact.get(topic);
      if (one !== undefined) found.push(one);
      if (wild.size === 0) return found;
      const levels = topic.split('.');
      if (!isReserved(topic)) collect(root, levels, 0, found);
      else {
        const next = root.next.get(levels[0] ?? '');
        if (next) collect(next, levels, 1, found);
      }
      return found;
    },
    *entries(): Generator<[pattern: string, value: T]> {
      yield* exact;
      yield* wild;
    },
  };
}

export type TopicIndex<T> = ReturnType<typeof createTopicIndex<T>>;
