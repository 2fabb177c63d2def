'use client';

import { useEffect, useRef, useState } from 'react';
import type { LogItem } from 'tailwire/client';

/** Lines that have come since the page went out of sight; 0 while it is seen. */
export function useUnread(lines: readonly LogItem[]): number {
  const [seen, setSeen] = useState<number | null>(null);
  const newest = useRef<number | null>(null);
  useEffect(() => {
    newest.current = lines.at(-1)?.seq ?? null;
  });
  useEffect(() => {
    const onChange = () => setSeen(document.hidden ? (newest.current ?? Number.NEGATIVE_INFINITY) : null);
    document.addEventListener('visibilitychange', onChange);
    return () => document.removeEventListener('visibilitychange', onChange);
  }, []);
  if (seen === null) return 0;
  let count = 0;
  for (let index = lines.length - 1; index >= 0 && (lines[index]?.seq ?? seen) > seen; index -= 1) count += 1;
  return count;
}
