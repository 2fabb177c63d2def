'use client';

import { useNodeStatus, useWebSocket } from 'tailwire/react';
import { cx } from '../../lib/class-names.ts';
import { formatClock } from '../../lib/format.ts';
import { useNow } from '../../lib/use-now.ts';

/** The state of the connection in words, always in sight. */
export function ConnectionBadge() {
  const { status, nextRetryAt, latencyMs, transport } = useWebSocket();
  const { isStale, updatedAt } = useNodeStatus();
  const now = useNow(500);

  let text = 'Live';
  let tone = 'text-good';
  if (status === 'denied') {
    text = 'Session ended';
    tone = 'text-bad';
  } else if (status === 'closed' || status === 'idle') {
    text = 'Not connected';
    tone = 'text-muted';
  } else if (status === 'connecting') {
    text = 'Connecting…';
    tone = 'text-warn';
  } else if (status === 'reconnecting') {
    const seconds = nextRetryAt === null ? 0 : Math.ceil((nextRetryAt - now) / 1000);
    text = seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…';
    tone = 'text-warn';
  } else if (isStale && updatedAt !== null) {
    text = `Stale since ${formatClock(updatedAt)}`;
    tone = 'text-warn';
  }
  const details =
    status === 'open' ? `${transport ?? ''}${latencyMs === null ? '' : `, ${latencyMs} ms`}` : undefined;
  return (
    <span
      title={details}
      data-connection={status}
      className={cx('mr-1 inline-flex items-center gap-2 rounded-full bg-raised px-3 py-1 text-sm', tone)}
    >
      <span
        aria-hidden="true"
        className={cx(
          'h-2 w-2 rounded-full bg-current',
          status !== 'open' && status !== 'denied' && 'motion-safe:animate-pulse',
        )}
      />
      <span className="whitespace-nowrap">{text}</span>
    </span>
  );
}
