'use client';

import { useVirtualizer } from '@tanstack/react-virtual';
import {
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { type CompiledFilter, entryLines, foldGroups, type LogLine } from 'tailwire/client';
import type { UseClientLogs } from 'tailwire/react';
import { copyText } from '../../lib/copy.ts';
import type { TimeZone } from '../../lib/format.ts';
import { plainText } from '../../lib/line-tokens.ts';
import { ROW_HEIGHT } from '../../lib/row-height.ts';
import { FoldRow } from './fold-row.tsx';
import { GapRow } from './gap-row.tsx';
import { ListHead } from './list-head.tsx';
import { LogRow } from './log-row.tsx';
import { NewLinesPill } from './new-lines-pill.tsx';
import { useFollow } from './use-follow.ts';
import { useKeepPlace } from './use-keep-place.ts';

/** What keyboard shortcuts do with the list. */
export interface LogListHandle {
  toStart(): void;
  toEnd(): void;
  /** Moves the marked line. */
  step(by: 1 | -1): void;
  /** Opens or closes the marked line. */
  toggle(): void;
  copy(): void;
}

interface LogListProps {
  ref: Ref<LogListHandle>;
  logs: UseClientLogs;
  ranges: CompiledFilter['ranges'];
  /** Paused by the reader. */
  held: boolean;
  onRelease: () => void;
  wrap: boolean;
  zone: TimeZone;
  onContext: (line: LogLine) => void;
}

/** Rows drawn beyond the edges, so that quick scrolling shows no holes. */
const OVERSCAN = 24;

/** The lines. Only those in sight are in the page; the newest is followed until the reader scrolls up. */
export function LogList({ ref, logs, ranges, held, onRelease, wrap, zone, onContext }: LogListProps) {
  const container = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  // A search may have found what a fold would hide.
  const isSearching = (logs.filter.text ?? '') !== '';
  const lines = useMemo(
    () => (isSearching ? logs.lines : foldGroups(logs.lines, opened)),
    [logs.lines, opened, isSearching],
  );
  const [marked, setMarked] = useState<number | null>(null);
  const { following, stop, follow } = useFollow({ container, logs, held, onRelease });

  const rows = useVirtualizer({
    count: lines.length + 1,
    getScrollElement: () => container.current,
    estimateSize: () => ROW_HEIGHT,
    // The first row is the list's head, the others go by the number that a line keeps.
    getItemKey: (index) => lines[index - 1]?.seq ?? 'head',
    overscan: OVERSCAN,
  });
  const height = rows.getTotalSize();

  // biome-ignore lint/correctness/useExhaustiveDependencies: each new line and each measured height moves the end
  useLayoutEffect(() => {
    const element = container.current;
    if (following && element !== null) element.scrollTop = element.scrollHeight;
  }, [following, lines, height]);

  useKeepPlace(container, lines, following);

  const toggle = useCallback((seq: number) => {
    setMarked(seq);
    setOpened((last) => {
      const next = new Set(last);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });
  }, []);

  const latest = useRef(logs.lines);
  useEffect(() => {
    latest.current = logs.lines;
  });
  const copy = useCallback((seq: number) => {
    const text = entryLines(latest.current, seq).map(plainText).join('\n');
    if (text !== '') void copyText(text, text.includes('\n') ? 'Entry' : 'Line');
  }, []);

  /** Where the mark begins: at the edge of what is in sight. */
  function edgeIndex(by: 1 | -1): number {
    const offset = (rows.scrollOffset ?? 0) + (by === 1 ? 0 : (container.current?.clientHeight ?? 0) - 1);
    return Math.max(0, (rows.getVirtualItemForOffset(offset)?.index ?? lines.length) - 1);
  }

  const markedIndex = marked === null ? -1 : lines.findIndex((item) => item.seq === marked);
  const markedItem = lines[markedIndex];
  useImperativeHandle(ref, () => ({
    toStart() {
      stop();
      rows.scrollToIndex(0);
    },
    toEnd: follow,
    step(by) {
      const index = markedIndex === -1 ? edgeIndex(by) : markedIndex + by;
      const item = lines[index];
      if (item === undefined) return;
      stop();
      setMarked(item.seq);
      rows.scrollToIndex(index + 1, { align: 'auto' });
    },
    toggle() {
      if (marked !== null) toggle(marked);
    },
    copy() {
      if (markedItem?.kind === 'line') copy(markedItem.seq);
    },
  }));

  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={container}
        role="log"
        aria-live="off"
        aria-label={`Log of ${logs.service}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable with the keyboard
        tabIndex={0}
        className="min-h-0 flex-1 overflow-auto overscroll-contain bg-surface font-mono text-[0.8125rem] leading-[22px] [overflow-anchor:none] focus-visible:-outline-offset-2"
      >
        <div className="relative w-full" style={{ height }}>
          {rows.getVirtualItems().map((row) => {
            const item = lines[row.index - 1];
            return (
              <div
                key={row.key}
                ref={rows.measureElement}
                data-index={row.index}
                className={wrap ? 'absolute top-0 left-0 w-full' : 'absolute top-0 left-0 w-max min-w-full'}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                {item === undefined ? (
                  <ListHead logs={logs} />
                ) : item.kind === 'gap' ? (
                  <GapRow gap={item} />
                ) : item.kind === 'fold' ? (
                  <FoldRow fold={item} isMarked={item.seq === marked} onToggle={toggle} />
                ) : (
                  <LogRow
                    service={logs.service}
                    line={item}
                    ranges={ranges}
                    wrap={wrap}
                    zone={zone}
                    isOpen={opened.has(item.seq)}
                    isMarked={item.seq === marked}
                    onToggle={toggle}
                    onCopy={copy}
                    onContext={onContext}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
      {(!following || held) && <NewLinesPill count={logs.newCount} held={held} onClick={follow} />}
    </div>
  );
}
