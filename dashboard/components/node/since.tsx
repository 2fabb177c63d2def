'use client';

import { formatDuration, formatInstant } from '../../lib/format.ts';
import { useNow } from '../../lib/use-now.ts';

/** `for 3 h 4 min`, with the instant as a tooltip. */
export function Since({ iso }: { iso: string }) {
  const now = useNow(5000);
  return (
    <time dateTime={iso} title={`since ${formatInstant(iso, 'local')}`}>
      for {formatDuration(now - Date.parse(iso))}
    </time>
  );
}
