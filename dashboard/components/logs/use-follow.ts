'use client';

import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { UseClientLogs } from 'tailwire/react';

interface FollowInput {
  container: RefObject<HTMLDivElement | null>;
  logs: Pick<UseClientLogs, 'pause' | 'resume'>;
  /** Paused by the reader: then reaching the end does not go on by itself. */
  held: boolean;
  /** The reader wants to go on. */
  onRelease: () => void;
}

/** So near to the end, in px, is at the end: positions are fractions on some screens. */
const END_TOLERANCE = 6;
const UPWARD_KEYS: ReadonlySet<string> = new Set(['ArrowUp', 'PageUp', 'Home']);

/**
 * Whether the newest line is followed. It ends with any sign that the reader wants to go up: wheel, touch, key or
 * scroll bar; the lines then stand still. It starts again at the end of the list.
 */
export function useFollow({ container, logs, held, onRelease }: FollowInput) {
  const [wanted, setWanted] = useState(true);
  const isHeld = useRef(held);
  const following = wanted && !held;
  const { pause, resume } = logs;

  useEffect(() => {
    isHeld.current = held;
    if (following) resume();
    else pause();
  }, [following, held, pause, resume]);

  const stop = useCallback(() => setWanted(false), []);
  const follow = useCallback(() => {
    setWanted(true);
    onRelease();
  }, [onRelease]);

  useEffect(() => {
    const element = container.current;
    if (element === null) return;
    let top = element.scrollTop;
    let touchY = 0;
    let isPointerDown = false;

    function goUp(): void {
      if (element !== null && element.scrollHeight > element.clientHeight) setWanted(false);
    }
    function onScroll(): void {
      if (element === null) return;
      const isDown = element.scrollTop > top;
      if (isPointerDown && element.scrollTop < top) goUp();
      top = element.scrollTop;
      const isAtEnd = element.scrollHeight - element.clientHeight - top <= END_TOLERANCE;
      if (isDown && isAtEnd && !isHeld.current) setWanted(true);
    }
    const handlers = {
      scroll: onScroll,
      wheel(event: WheelEvent) {
        if (event.deltaY < 0) goUp();
      },
      touchstart(event: TouchEvent) {
        touchY = event.touches[0]?.clientY ?? 0;
      },
      touchmove(event: TouchEvent) {
        if ((event.touches[0]?.clientY ?? 0) > touchY) goUp();
      },
      keydown(event: KeyboardEvent) {
        if (UPWARD_KEYS.has(event.key)) goUp();
      },
      pointerdown() {
        isPointerDown = true;
      },
    };
    const onPointerUp = () => {
      isPointerDown = false;
    };
    const abort = new AbortController();
    for (const [name, handler] of Object.entries(handlers)) {
      element.addEventListener(name, handler as EventListener, { passive: true, signal: abort.signal });
    }
    window.addEventListener('pointerup', onPointerUp, { signal: abort.signal });
    return () => abort.abort();
  }, [container]);

  return { following, stop, follow };
}
