'use client';

import { cx } from '../../lib/class-names.ts';
import { formatDuration } from '../../lib/format.ts';
import { useNow } from '../../lib/use-now.ts';

/** How old the status is. */
export function UpdatedAgo({ at, isStale }: { at: number; isStale: boolean }) {
  const now = useNow();
  return (
    <p className={cx('text-xs', isStale ? 'font-medium text-warn' : 'text-muted')}>
      {isStale ? 'Stale: last update' : 'Updated'} {formatDuration(now - at)} ago
    </p>
  );
}
