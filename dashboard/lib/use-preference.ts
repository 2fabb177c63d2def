'use client';

import { useCallback, useSyncExternalStore } from 'react';

const CHANGED = 'tailwire:preference';

/**
 * A setting kept in this browser, the same in all its components and tabs. Where storage is forbidden it lives as long
 * as nobody asks: the default.
 */
export function usePreference<T extends string | boolean>(name: string, initial: T): [T, (next: T) => void] {
  const key = `tailwire.${name}`;
  const value = useSyncExternalStore(subscribe, () => read(key), noText);
  const set = useCallback(
    (next: T) => {
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        return;
      }
      window.dispatchEvent(new Event(CHANGED));
    },
    [key],
  );
  return [parse(value, initial), set];
}

function subscribe(listener: () => void): () => void {
  window.addEventListener(CHANGED, listener);
  window.addEventListener('storage', listener);
  return () => {
    window.removeEventListener(CHANGED, listener);
    window.removeEventListener('storage', listener);
  };
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function noText(): null {
  return null;
}

function parse<T>(text: string | null, initial: T): T {
  if (text === null) return initial;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === typeof initial ? (value as T) : initial;
  } catch {
    return initial;
  }
}
