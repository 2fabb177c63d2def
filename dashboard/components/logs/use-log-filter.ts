'use client';

import { useCallback, useMemo } from 'react';
import type { LogFilter } from 'tailwire/client';
import { LEVELS, type Level } from 'tailwire/shared/log-entry.ts';
import { useUrlState } from '../../lib/use-url-state.ts';

/** The filter of the log, kept in the page's address: `?q=`, `?regex=1`, `?levels=error,warn`. */
export function useLogFilter(): { filter: LogFilter; setFilter: (next: LogFilter) => void } {
  const [text, setText] = useUrlState('q');
  const [regex, setRegex] = useUrlState('regex');
  const [levels, setLevels] = useUrlState('levels');

  const filter = useMemo<LogFilter>(
    () => ({
      ...(text === null ? {} : { text }),
      ...(regex === '1' ? { regex: true } : {}),
      ...(levels === null ? {} : { levels: readLevels(levels) }),
    }),
    [text, regex, levels],
  );
  const setFilter = useCallback(
    (next: LogFilter) => {
      setText(next.text === undefined || next.text === '' ? null : next.text);
      setRegex(next.regex === true ? '1' : null);
      setLevels(next.levels === undefined ? null : next.levels.join(',') || 'none');
    },
    [setText, setRegex, setLevels],
  );
  return { filter, setFilter };
}

function readLevels(text: string): Level[] {
  const names = new Set(text.split(','));
  return LEVELS.filter((level) => names.has(level));
}
