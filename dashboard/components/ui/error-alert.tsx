import { TriangleAlert } from 'lucide-react';
import type { GatewayError } from 'tailwire/client';
import { Button } from './button.tsx';

interface ErrorAlertProps {
  error: GatewayError;
  /** What the reader can do about it. */
  action?: { label: string; run: () => void } | undefined;
}

/** What went wrong, its code, what helps, and a button that does it. */
export function ErrorAlert({ error, action }: ErrorAlertProps) {
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-bad/40 bg-surface px-3 py-2.5"
    >
      <TriangleAlert aria-hidden="true" className="h-5 w-5 shrink-0 text-bad" />
      <div className="min-w-0 flex-1 basis-60">
        <p className="font-medium">
          {error.message}{' '}
          <code className="ml-1 rounded bg-raised px-1.5 py-0.5 font-mono text-xs font-normal text-muted">
            {error.code}
          </code>
        </p>
        <p className="text-sm text-muted">{error.hint}</p>
      </div>
      {action !== undefined && (
        <Button size="small" onClick={action.run}>
          {action.label}
        </Button>
      )}
    </div>
  );
}
