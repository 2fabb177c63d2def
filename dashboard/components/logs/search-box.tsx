'use client';

import { Search, X } from 'lucide-react';
import { type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from 'react';
import type { LogFilter } from 'tailwire/client';
import { cx } from '../../lib/class-names.ts';

interface SearchBoxProps {
  filter: LogFilter;
  onFilter: (filter: LogFilter) => void;
  /** Why the pattern cannot be used. */
  error: string | null;
  input: RefObject<HTMLInputElement | null>;
}

/** Pause in typing before the lines are searched, in ms. */
const DEBOUNCE = 150;

/** Shows only lines with a text or, with `.*` on, a regular expression. */
export function SearchBox({ filter, onFilter, error, input }: SearchBoxProps) {
  const id = useId();
  const [text, setText] = useState(filter.text ?? '');
  const latest = useRef({ filter, onFilter });
  useEffect(() => {
    latest.current = { filter, onFilter };
  });
  useEffect(() => {
    const timer = setTimeout(() => {
      const { filter: last, onFilter: apply } = latest.current;
      if ((last.text ?? '') !== text) apply({ ...last, text });
    }, DEBOUNCE);
    return () => clearTimeout(timer);
  }, [text]);

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.key !== 'Escape') return;
    if (text === '') event.currentTarget.blur();
    setText('');
  }

  return (
    <div className="relative min-w-44 flex-1 basis-56 max-md:order-3 max-md:basis-full md:max-w-md">
      <Search aria-hidden="true" className="absolute top-2.5 left-2.5 h-4 w-4 text-muted max-sm:top-3.5" />
      <input
        ref={input}
        type="search"
        aria-label="Search in the log"
        aria-invalid={error !== null}
        aria-describedby={error === null ? undefined : `${id}-error`}
        placeholder="Search ( / )"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        spellCheck={false}
        autoCapitalize="none"
        className={cx(
          'h-9 w-full rounded-md border bg-canvas pr-20 pl-8 text-sm max-sm:h-11 [&::-webkit-search-cancel-button]:hidden',
          error === null ? 'border-line' : 'border-warn',
        )}
      />
      <div className="absolute top-1 right-1 flex items-center gap-0.5 max-sm:top-2">
        {text !== '' && (
          <button
            type="button"
            aria-label="Clear the search"
            onClick={() => setText('')}
            className="rounded p-1.5 text-muted hover:text-strong"
          >
            <X aria-hidden="true" className="h-4 w-4" />
          </button>
        )}
        <button
          type="button"
          aria-label="Regular expression"
          title="Regular expression"
          aria-pressed={filter.regex === true}
          onClick={() => onFilter({ ...filter, text, regex: filter.regex !== true })}
          className={cx(
            'rounded px-1.5 py-1 font-mono text-xs',
            filter.regex === true ? 'bg-accent text-on-accent' : 'text-muted hover:text-strong',
          )}
        >
          .*
        </button>
      </div>
      {error !== null && (
        <p
          id={`${id}-error`}
          role="status"
          className="absolute top-full right-0 left-0 z-10 mt-1 rounded-md border border-warn bg-surface px-2 py-1 text-xs text-warn shadow-md"
        >
          {error}. All lines are shown.
        </p>
      )}
    </div>
  );
}
