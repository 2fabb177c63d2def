import { ArrowDown } from 'lucide-react';

interface NewLinesPillProps {
  count: number;
  /** Paused by the reader. */
  held: boolean;
  onClick: () => void;
}

/** Back to the newest line, with what has come since. */
export function NewLinesPill({ count, held, onClick }: NewLinesPillProps) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="absolute bottom-3 left-1/2 inline-flex h-10 -translate-x-1/2 items-center gap-2 rounded-full bg-accent px-4 text-sm font-medium text-on-accent shadow-lg hover:brightness-110"
    >
      <ArrowDown aria-hidden="true" className="h-4 w-4" />
      {held && 'Paused: '}
      {count === 0 ? 'Newest lines' : `${count} new ${count === 1 ? 'line' : 'lines'}`}
    </button>
  );
}
