'use client';

import { type RefObject, useLayoutEffect, useRef } from 'react';
import type { LogRow } from 'tailwire/client';
import { ROW_HEIGHT } from '../../lib/row-height.ts';

/** Keeps what is being read where it is when older lines are put in front of it. */
export function useKeepPlace(
  container: RefObject<HTMLDivElement | null>,
  lines: readonly LogRow[],
  following: boolean,
): void {
  const first = useRef(lines[0]?.seq);
  useLayoutEffect(() => {
    const before = first.current;
    first.current = lines[0]?.seq;
    const element = container.current;
    if (following || element === null || before === undefined) return;
    const added = lines.findIndex((line) => line.seq === before);
    if (added > 0) element.scrollTop += added * ROW_HEIGHT;
  }, [container, lines, following]);
}
