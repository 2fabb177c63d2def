'use client';

import { useEffect, useRef } from 'react';

/** What a key does, by `KeyboardEvent.key`. */
export type Shortcuts = readonly (readonly [key: string, action: () => void])[];

/** Single keys for the whole page. They rest while something is typed, in menus and dialogs, and with modifier keys. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!(event.target instanceof Element) || isBusy(event.target, event.key)) return;
      const action = latest.current.find(([key]) => key === event.key)?.[1];
      if (action === undefined) return;
      event.preventDefault();
      action();
    }
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

function isBusy(target: Element, key: string): boolean {
  if (target.closest('input, textarea, select, [contenteditable], [role=dialog], [role=menu]') !== null)
    return true;
  // Space and Enter belong to a focused button or link.
  return (key === ' ' || key === 'Enter') && target.closest('button, a, summary') !== null;
}
