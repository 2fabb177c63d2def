import { ChevronsUp, SearchCode } from 'lucide-react';
import { isFiltering } from 'tailwire/client';
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
  const { lines, total, status, hasOlder, loadingOlder, dropped, loadOlder, filter } = logs;
  if (isFiltering(filter) && total > 0) return <SearchHead logs={logs} />;
  if (lines.length === 0) {
    // Nothing passes without a filter: the view was cleared.
    return (
      <p className="sticky left-0 w-fit p-4 font-sans text-sm text-muted">
        {total > 0 ? EMPTY_TEXT.live : EMPTY_TEXT[status]}
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

/** With a filter: more of what passes it, found on the host however far back it is. */
function SearchHead({ logs }: { logs: UseClientLogs }) {
  const { lines, older, searchOlder } = logs;
  const isDone = older.status === 'done';
  return (
    <div className="sticky left-0 flex w-fit max-w-[calc(100vw-2rem)] flex-wrap items-center gap-x-3 gap-y-1 px-6 py-1 font-sans text-xs text-muted">
      {!isDone && (
        <Button size="small" disabled={older.status === 'searching'} onClick={() => void searchOlder()}>
          <SearchCode aria-hidden="true" className="h-4 w-4" />
          {older.status === 'searching' ? 'Searching…' : 'Search older lines'}
        </Button>
      )}
      <span role="status" data-search={older.status}>
        {lines.length === 0 && 'No line passes the filter. '}
        {older.found > 0 && `${older.found} older ${older.found === 1 ? 'line' : 'lines'} found. `}
        {isDone && 'The log has no older line that passes.'}
      </span>
      {older.error !== null && (
        <span role="alert" className="text-warn">
          {older.error.message}
          {older.error.hint !== '' && ` ${older.error.hint}`}
        </span>
      )}
    </div>
  );
}
