'use client';

import { X } from 'lucide-react';
import { Dialog } from 'radix-ui';
import { Button } from '../ui/button.tsx';

const SHORTCUTS = [
  ['Space', 'Pause or resume'],
  ['/', 'Search'],
  ['g', 'Oldest line'],
  ['G', 'Newest line, follow'],
  ['j, k', 'Next and previous line'],
  ['Enter', 'Open or close the line'],
  ['c', 'Copy the line'],
  ['w', 'Wrap lines'],
  ['u', 'Local time or UTC'],
  ['?', 'This help'],
] as const;

interface ShortcutsDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** New errors are announced to screen readers. */
  withErrors: boolean;
  onWithErrors: (on: boolean) => void;
}

/** The keys of the log viewer, and a setting for those who do not look at it. */
export function ShortcutsDialog(props: ShortcutsDialogProps) {
  const { open, onOpenChange, withErrors, onWithErrors } = props;
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed top-1/2 left-1/2 z-50 w-[min(24rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 rounded-xl border border-line bg-surface p-4 shadow-xl"
        >
          <div className="mb-3 flex items-center justify-between">
            <Dialog.Title className="font-semibold">Keyboard shortcuts</Dialog.Title>
            <Dialog.Close asChild>
              <Button look="quiet" size="icon" aria-label="Close">
                <X aria-hidden="true" className="h-4 w-4" />
              </Button>
            </Dialog.Close>
          </div>
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 text-sm">
            {SHORTCUTS.map(([keys, what]) => (
              <div key={keys} className="contents">
                <dt>
                  <kbd className="rounded border border-line bg-raised px-1.5 py-0.5 font-mono text-xs">
                    {keys}
                  </kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <label className="mt-4 flex items-center gap-2 border-t border-line pt-3 text-sm">
            <input
              type="checkbox"
              checked={withErrors}
              onChange={(event) => onWithErrors(event.target.checked)}
              className="h-4 w-4 accent-[var(--accent)]"
            />
            Announce new errors to a screen reader
          </label>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
