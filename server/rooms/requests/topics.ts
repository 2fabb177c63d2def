import { isReserved, isRoomName } from '../room-name.ts';

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

/**
 * What a pattern matches. `a.#` matches `a` as well; a wildcard in the first level does not match `system.*`, as in MQTT
 * 4.7.2 for `$`.
 */
export function topicMatcher(pattern: string): (topic: string) => boolean {
  const levels = pattern.split('.');
  const open = levels.at(-1) === REST;
  const fixed = open ? levels.slice(0, -1) : levels;
  const isAnything = levels[0] === ONE || levels[0] === REST;
  return (topic) => {
    if (isAnything && isReserved(topic)) return false;
    const given = topic.split('.');
    if (open ? given.length < fixed.length : given.length !== fixed.length) return false;
    return fixed.every((level, at) => level === ONE || level === given[at]);
  };
}

/** Values under topic patterns: those of exact topics are found at once, those of wildcards one by one. */
export function createTopicIndex<T>() {
  const exact = new Map<string, T>();
  const wild = new Map<string, { matches: (topic: string) => boolean; value: T }>();
  return {
    get size() {
      return exact.size + wild.size;
    },
    get: (pattern: string): T | undefined => exact.get(pattern) ?? wild.get(pattern)?.value,
    set(pattern: string, value: T): void {
      if (hasWildcard(pattern)) wild.set(pattern, { matches: topicMatcher(pattern), value });
      else exact.set(pattern, value);
    },
    delete(pattern: string): void {
      exact.delete(pattern);
      wild.delete(pattern);
    },
    /** The values whose patterns match. */
    match(topic: string): T[] {
      const found: T[] = [];
      const one = exact.get(topic);
      if (one !== undefined) found.push(one);
      for (const { matches, value } of wild.values()) if (matches(topic)) found.push(value);
      return found;
    },
    *entries(): Generator<[pattern: string, value: T]> {
      yield* exact;
      for (const [pattern, { value }] of wild) yield [pattern, value];
    },
  };
}

export type TopicIndex<T> = ReturnType<typeof createTopicIndex<T>>;
