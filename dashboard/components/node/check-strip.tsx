import type { StatusCheck } from 'tailwire/client';
import { cx } from '../../lib/class-names.ts';
import { formatClock } from '../../lib/format.ts';
import { STATUS_LOOK } from '../../lib/status-look.ts';

/** Cells of the strip; checks that were not made yet are empty. */
const CELLS = 30;

/** The last checks as a strip of cells, the newest at the right. */
export function CheckStrip({ checks }: { checks: readonly StatusCheck[] }) {
  const shown = checks.slice(-CELLS);
  const active = shown.filter((check) => check.status === 'active').length;
  const cells = Array.from({ length: CELLS }, (_, index) => shown[index - CELLS + shown.length]);
  return (
    <div
      role="img"
      aria-label={`Active in ${active} of the last ${shown.length} checks`}
      className="mt-1 flex h-2.5 gap-px overflow-hidden rounded-sm"
    >
      {cells.map((check, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
          key={index}
          title={check && `${formatClock(check.at)} ${STATUS_LOOK[check.status].label}`}
          className={cx('flex-1', check === undefined ? 'bg-raised' : STATUS_LOOK[check.status].fill)}
        />
      ))}
    </div>
  );
}
