'use client';

import { X } from 'lucide-react';
import { Dialog } from 'radix-ui';
import { useCallback, useState } from 'react';
import { entryLines } from 'tailwire/client';
import type { UseClientLogs } from 'tailwire/react';
import { copyText } from '../../lib/copy.ts';
import type { TimeZone } from '../../lib/format.ts';
import { plainText } from '../../lib/line-tokens.ts';
import { useLineContext } from '../../lib/use-line-context.ts';
import { Button } from '../ui/button.tsx';
import { ErrorAlert } from '../ui/error-alert.tsx';
import { LogRow } from './log-row.tsx';

interface ContextDialogProps {
  logs: UseClientLogs;
  /** Id of the line; null: closed. */
  id: string | null;
  onClose: () => void;
  wrap: boolean;
  zone: TimeZone;
}

const noRanges = () => [];

/** A line and what stands around it in the journal, without any filter. */
export function ContextDialog({ logs, id, onClose, wrap, zone }: ContextDialogProps) {
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [attempt, setAttempt] = useState(0);
  const isReady = logs.status === 'live' || logs.status === 'interrupted' || logs.status === 'failed';
  const context = useLineContext(logs.history, isReady ? id : null, attempt);

  const toggle = useCallback((seq: number) => {
    setOpened((last) => {
      const next = new Set(last);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });
  }, []);
  const copy = (seq: number) => {
    const lines = context.phase === 'there' ? entryLines(context.lines, seq) : [];
    void copyText(lines.map(plainText).join('\n'), 'Entry');
  };

  return (
    <Dialog.Root open={id !== null} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-3 z-50 flex flex-col overflow-hidden rounded-xl border border-line bg-surface shadow-xl sm:inset-x-[4vw] sm:inset-y-[6vh]"
        >
          <div className="flex items-center justify-between border-b border-line px-3 py-2">
            <Dialog.Title className="font-semibold">A line of {logs.service} in context</Dialog.Title>
            <Dialog.Close asChild>
              <Button look="quiet" size="icon" aria-label="Close">
                <X aria-hidden="true" className="h-4 w-4" />
              </Button>
            </Dialog.Close>
          </div>
          {context.phase === 'loading' && <p className="p-4 text-sm text-muted">Reading the journal…</p>}
          {context.phase === 'failed' && (
            <div className="p-3">
              <ErrorAlert
                error={context.error}
                action={{ label: 'Try again', run: () => setAttempt((last) => last + 1) }}
              />
            </div>
          )}
          {context.phase === 'there' && (
            <div
              // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable with the keyboard
              tabIndex={0}
              className="min-h-0 flex-1 overflow-auto font-mono text-[0.8125rem] leading-[22px]"
            >
              {context.index === -1 && (
                <p role="status" className="sticky left-0 w-fit p-3 font-sans text-sm text-warn">
                  The journal has this line no more. These stand where it was.
                </p>
              )}
              {context.lines.map((line, index) => (
                <div
                  key={line.id}
                  {...(index === context.index ? { 'data-context': line.id, ref: toMiddle } : {})}
                  className={wrap ? 'w-full' : 'w-max min-w-full'}
                >
                  <LogRow
                    service={logs.service}
                    line={line}
                    ranges={noRanges}
                    wrap={wrap}
                    zone={zone}
                    isOpen={opened.has(line.seq)}
                    isMarked={index === context.index}
                    onToggle={toggle}
                    onCopy={copy}
                  />
                </div>
              ))}
            </div>
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function toMiddle(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'center' });
}
