import { ChevronsUp } from 'lucide-react';
import type { UseClientLogs } from 'tailwire/react';
import { Button } from '../ui/button.tsx';

const EMPTY_TEXT = {
  idle: '',
  waiting: 'Waiting for the connection…',
  subscribing: 'Asking for the newest lines…',
  live: 'No lines yet. New ones show up here by themselves.',
  interrupted: 'Interrupted. The stream is started again by itself.',
  failed: 'This log cannot be shown.',
} as const;

/** Above the oldest line: more of them, or why there is nothing. */
export function ListHead({ logs }: { logs: UseClientLogs }) {
  const { lines, total, status, hasOlder, loadingOlder, dropped, loadOlder } = logs;
  if (lines.length === 0) {
    const isFiltered = total > 0;
    return (
      <p className="sticky left-0 w-fit p-4 font-sans text-sm text-muted">
        {isFiltered ? 'No line passes the filter.' : EMPTY_TEXT[status]}
      </p>
    );
  }
  if (!hasOlder)
    return <p className="px-8 py-1 font-sans text-xs text-muted">This is where the log begins.</p>;
  return (
    <div className="sticky left-0 flex w-fit items-center gap-3 px-6 py-1 font-sans text-xs text-muted">
      <Button size="small" disabled={loadingOlder} onClick={() => void loadOlder()}>
        <ChevronsUp aria-hidden="true" className="h-4 w-4" />
        {loadingOlder ? 'Loading…' : 'Load older lines'}
      </Button>
      {dropped > 0 && <span>{dropped} older lines were let go to save memory.</span>}
    </div>
  );
}
