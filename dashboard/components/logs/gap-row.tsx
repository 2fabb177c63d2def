import { Unplug } from 'lucide-react';
import type { LogGapItem } from 'tailwire/client';
import { formatClock } from '../../lib/format.ts';
import { GAP_TEXT } from '../../lib/gap-text.ts';

/** A place where lines are missing, said aloud. */
export function GapRow({ gap }: { gap: LogGapItem }) {
  return (
    <div
      data-gap={gap.reason}
      className="sticky left-0 my-1 flex w-fit max-w-[100vw] items-center gap-2 border-y border-warn/50 bg-raised px-3 py-1 font-sans text-warn"
    >
      <Unplug aria-hidden="true" className="h-4 w-4 shrink-0" />
      <span>
        <strong className="font-semibold">Lines are missing here.</strong> {GAP_TEXT[gap.reason]} Noticed at{' '}
        {formatClock(gap.noticedAt)}.
      </span>
    </div>
  );
}
