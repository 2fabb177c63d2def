'use client';

import { useCallback, useState } from 'react';

/**
 * A piece of the page's state that is part of its address, so that a link or a reload brings it back. For components
 * that are only ever rendered in a browser.
 */
export function useUrlState(name: string): [string | null, (next: string | null) => void] {
  const [value, setValue] = useState(() => new URLSearchParams(window.location.search).get(name));
  const set = useCallback(
    (next: string | null) => {
      setValue(next);
      const url = new URL(window.location.href);
      if (next === null || next === '') url.searchParams.delete(name);
      else url.searchParams.set(name, next);
      window.history.replaceState(window.history.state, '', url);
    },
    [name],
  );
  return [value, set];
}
