'use client';

import { useEffect, useState } from 'react';
import { completeEntry, type GatewayError, type LogLine } from 'tailwire/client';
import type { UseClientLogs } from 'tailwire/react';

/** Lines on each side of the one that is looked for. */
const AROUND = 25;

export type LineContext =
  | { phase: 'loading' }
  /** `index` of the line itself; -1 where it is not in the journal any more. */
  | { phase: 'there'; lines: readonly LogLine[]; index: number }
  | { phase: 'failed'; error: GatewayError };

/**
 * A line with its neighbours, from the journal. A page of history never holds the line that it starts at, so the lines
 * before are read first, and then those behind the oldest of them.
 *
 * @param id null: nothing is read
 * @param attempt another number reads again
 */
export function useLineContext(history: UseClientLogs['history'], id: string | null, attempt: number) {
  const [context, setContext] = useState<LineContext>({ phase: 'loading' });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt reads again
  useEffect(() => {
    if (id === null) return;
    let current = true;
    setContext({ phase: 'loading' });
    async function read(before: string): Promise<LineContext> {
      const older = await history({ before, limit: AROUND });
      if (!older.ok) return { phase: 'failed', error: older.error };
      const [oldest] = older.entries;
      const rest = await history({
        ...(oldest === undefined ? { since: 0 } : { after: oldest.id }),
        limit: AROUND * 2,
      });
      if (!rest.ok) return { phase: 'failed', error: rest.error };
      const entries = oldest === undefined ? rest.entries : [oldest, ...rest.entries];
      const lines: LogLine[] = [];
      for (const [seq, entry] of entries.entries()) lines.push(completeEntry(entry, seq, lines.at(-1)));
      return { phase: 'there', lines, index: lines.findIndex((line) => line.id === before) };
    }
    void read(id).then((next) => {
      if (current) setContext(next);
    });
    return () => {
      current = false;
    };
  }, [history, id, attempt]);
  return context;
}
