import { createTopicIndex } from './topics.ts';
import type { DataFilter, Member } from './types.ts';

/** Room names whose watches are remembered; beyond it they are looked up anew. */
const CACHE_MAX = 10_000;

export interface Watch {
  readonly pattern: string;
  readonly member: Member;
  readonly filter: DataFilter | undefined;
  /** Whether the member may have the messages of a room that matches. */
  may(room: string): boolean;
}

/** What of a room's messages each watching member wants: by any of these filters, undefined meaning everything. */
export type Watching = ReadonlyMap<Member, readonly (DataFilter | undefined)[]>;

const NONE: Watching = new Map();

/** Members that listen to rooms by a topic pattern. */
export function createWatches() {
  const byPattern = createTopicIndex<Set<Watch>>();
  const byMember = new Map<Member, Set<Watch>>();
  const cache = new Map<string, Watching>();

  function forget(watch: Watch): void {
    const group = byPattern.get(watch.pattern);
    if (group?.delete(watch) && group.size === 0) byPattern.delete(watch.pattern);
  }

  function drop(watch: Watch): void {
    const group = byMember.get(watch.member);
    if (!group?.delete(watch)) return;
    if (group.size === 0) byMember.delete(watch.member);
    forget(watch);
    cache.clear();
  }

  function find(room: string): Watching {
    const found = new Map<Member, (DataFilter | undefined)[]>();
    for (const group of byPattern.match(room)) {
      for (const { member, filter, may } of group) {
        if (!may(room)) continue;
        const filters = found.get(member);
        if (filters) filters.push(filter);
        else found.set(member, [filter]);
      }
    }
    return found;
  }

  return {
    /** @returns its end */
    add(watch: Watch): () => void {
      const group = byMember.get(watch.member) ?? new Set();
      byMember.set(watch.member, group.add(watch));
      const alike = byPattern.get(watch.pattern) ?? new Set();
      byPattern.set(watch.pattern, alike.add(watch));
      cache.clear();
      return () => drop(watch);
    },
    remove(member: Member): void {
      for (const watch of byMember.get(member) ?? []) forget(watch);
      if (byMember.delete(member)) cache.clear();
    },
    count: (member: Member): number => byMember.get(member)?.size ?? 0,
    of(room: string): Watching {
      if (byMember.size === 0) return NONE;
      let found = cache.get(room);
      if (!found) {
        found = find(room);
        if (cache.size >= CACHE_MAX) cache.clear();
        cache.set(room, found);
      }
      return found;
    },
  };
}
