import type { DataFilter, Member } from './types.ts';

/** Room names whose watches are remembered; beyond it they are looked up anew. */
const CACHE_MAX = 10_000;

export interface Watch {
  readonly matches: (room: string) => boolean;
  readonly member: Member;
  readonly filter: DataFilter | undefined;
}

/** What of a room's messages each watching member wants: by any of these filters, undefined meaning everything. */
export type Watching = ReadonlyMap<Member, readonly (DataFilter | undefined)[]>;

const NONE: Watching = new Map();

/** Members that listen to rooms by a pattern. */
export function createWatches() {
  const byMember = new Map<Member, Set<Watch>>();
  const cache = new Map<string, Watching>();

  function drop(watch: Watch): void {
    const group = byMember.get(watch.member);
    if (!group?.delete(watch)) return;
    if (group.size === 0) byMember.delete(watch.member);
    cache.clear();
  }

  function find(room: string): Watching {
    const found = new Map<Member, (DataFilter | undefined)[]>();
    for (const [member, group] of byMember) {
      const filters = [...group].filter(({ matches }) => matches(room)).map(({ filter }) => filter);
      if (filters.length > 0) found.set(member, filters);
    }
    return found;
  }

  return {
    /** @returns its end */
    add(watch: Watch): () => void {
      const group = byMember.get(watch.member) ?? new Set();
      byMember.set(watch.member, group.add(watch));
      cache.clear();
      return () => drop(watch);
    },
    remove(member: Member): void {
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
