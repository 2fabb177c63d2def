import { UnfoldVertical } from 'lucide-react';
import type { LogFold } from 'tailwire/client';
import { cx } from '../../lib/class-names.ts';

interface FoldRowProps {
  fold: LogFold;
  isMarked: boolean;
  onToggle: (seq: number) => void;
}

/** The lines of a long entry that are folded away. */
export function FoldRow({ fold, isMarked, onToggle }: FoldRowProps) {
  const { seq, count, isOpen, groupLevel } = fold;
  return (
    <div
      data-fold={count}
      className={cx(
        'flex border-l-2',
        isMarked ? 'border-accent bg-raised' : 'border-transparent',
        groupLevel === 'error' && !isMarked && 'border-l-bad',
        groupLevel === 'fatal' && !isMarked && 'border-l-odd',
      )}
    >
      <button
        type="button"
        tabIndex={-1}
        aria-expanded={isOpen}
        onClick={() => onToggle(seq)}
        className="sticky left-0 ml-6 inline-flex h-[22px] items-center gap-1.5 rounded px-2 font-sans text-xs text-muted hover:bg-raised hover:text-strong max-md:ml-9"
      >
        <UnfoldVertical aria-hidden="true" className="h-3.5 w-3.5" />
        {isOpen ? 'Show fewer lines' : `${count} more lines of this entry`}
      </button>
    </div>
  );
}
