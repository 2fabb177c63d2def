'use client';

import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { compileFilter, type LogLine } from 'tailwire/client';
import { useClientLogs } from 'tailwire/react';
import type { TimeZone } from '../../lib/format.ts';
import { LINE_PARAM } from '../../lib/line-link.ts';
import { useMedia } from '../../lib/use-media.ts';
import { usePreference } from '../../lib/use-preference.ts';
import { useShortcuts } from '../../lib/use-shortcuts.ts';
import { useUnread } from '../../lib/use-unread.ts';
import { useUrlState } from '../../lib/use-url-state.ts';
import { ErrorAlert } from '../ui/error-alert.tsx';
import { Announcer } from './announcer.tsx';
import { ContextDialog } from './context-dialog.tsx';
import { LevelChips } from './level-chips.tsx';
import { LogList, type LogListHandle } from './log-list.tsx';
import { LogToolbar } from './log-toolbar.tsx';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { useLogFilter } from './use-log-filter.ts';

interface LogViewerProps {
  /** Told how many lines have come since the page went out of sight. */
  onUnread: (count: number) => void;
  service: string;
  services: readonly string[];
  onService: (service: string) => void;
}

/** The live log of one service, with everything to find one's way in it. */
export function LogViewer({ service, services, onService, onUnread }: LogViewerProps) {
  const { filter, setFilter } = useLogFilter();
  const logs = useClientLogs({ service, filter });
  const [held, setHeld] = useState(false);
  const [wrap, setWrap] = usePreference<boolean>('wrap', false);
  const [withErrors, setWithErrors] = usePreference<boolean>('announce-errors', false);
  const [zone, setZone] = usePreference<TimeZone>('timezone', 'local');
  const [line, setLine] = useUrlState(LINE_PARAM);
  const [helpOpen, setHelpOpen] = useState(false);
  const isNarrow = useMedia('(max-width: 47.99rem)');
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<LogListHandle>(null);

  const change = useCallback(
    (next: typeof filter) => {
      setFilter(next);
      logs.setFilter(next);
    },
    [setFilter, logs.setFilter],
  );
  const unread = useUnread(logs.lines);
  useEffect(() => onUnread(unread), [onUnread, unread]);
  const openContext = useCallback((of: LogLine) => setLine(of.id), [setLine]);
  const marks = useDeferredValue(logs.filter);
  const ranges = useMemo(() => compileFilter(marks).ranges, [marks]);

  useShortcuts([
    [' ', () => setHeld((last) => !last)],
    ['/', () => search.current?.focus()],
    ['g', () => list.current?.toStart()],
    ['G', () => list.current?.toEnd()],
    ['j', () => list.current?.step(1)],
    ['k', () => list.current?.step(-1)],
    ['Enter', () => list.current?.toggle()],
    ['c', () => list.current?.copy()],
    ['w', () => setWrap(!wrap)],
    ['u', () => setZone(zone === 'utc' ? 'local' : 'utc')],
    ['?', () => setHelpOpen(true)],
  ]);

  return (
    <section aria-labelledby="log-title" className="flex min-h-0 flex-1 flex-col">
      <h2 id="log-title" className="sr-only">
        Log of {service}
      </h2>
      <div className="flex min-h-0 flex-1 flex-col overflow-hidden rounded-xl border border-line bg-surface">
        <LogToolbar
          service={service}
          services={services}
          onService={onService}
          logs={logs}
          filter={filter}
          onFilter={change}
          search={search}
          held={held}
          onHeld={setHeld}
          wrap={wrap}
          onWrap={setWrap}
          zone={zone}
          onZone={setZone}
          onHelp={() => setHelpOpen(true)}
        />
        <LevelChips
          counts={logs.counts}
          filter={filter}
          onFilter={change}
          shown={logs.lines.length}
          total={logs.total}
        />
        {logs.error !== null && (
          <div className="border-b border-line p-2">
            <ErrorAlert error={logs.error} action={{ label: 'Try again', run: logs.retry }} />
          </div>
        )}
        <LogList
          ref={list}
          logs={logs}
          ranges={ranges}
          held={held}
          onRelease={() => setHeld(false)}
          wrap={wrap || isNarrow}
          zone={zone}
          onContext={openContext}
        />
      </div>
      <Announcer paused={logs.paused} newCount={logs.newCount} lines={logs.lines} withErrors={withErrors} />
      <ContextDialog
        logs={logs}
        id={line}
        onClose={() => setLine(null)}
        wrap={wrap || isNarrow}
        zone={zone}
      />
      <ShortcutsDialog
        open={helpOpen}
        onOpenChange={setHelpOpen}
        withErrors={withErrors}
        onWithErrors={setWithErrors}
      />
    </section>
  );
}
