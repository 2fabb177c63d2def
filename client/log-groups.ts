import type { Level } from '../shared/log-entry.ts';
import type { LogItem } from './log-item.ts';

/** Stands for the lines of a long entry that are folded away, or may be. */
export interface LogFold {
  readonly kind: 'fold';
  /** Between the line above and the next one. */
  readonly seq: number;
  /** Lines it stands for. */
  readonly count: number;
  readonly isOpen: boolean;
  /** Level of the entry. */
  readonly groupLevel: Level | null;
}

export type LogRow = LogItem | LogFold;

/** Entries with more continuations than this are folded. */
const FOLD_OVER = 6;
/** Continuations that stay in sight: enough to see what the trace is about. */
const FOLD_KEEP = 3;

const levelOf = (item: LogItem): Level | null => (item.kind === 'line' ? item.groupLevel : null);

/** Index behind the last continuation of the entry at `index`. */
function groupEnd(items: readonly LogItem[], index: number): number {
  let end = index + 1;
  for (let item = items[end]; item?.kind === 'line' && item.continuation; item = items[end]) end += 1;
  return end;
}

/**
 * The rows of a list: the items, where long entries (stack traces) show their first lines and a fold for the rest.
 *
 * @param opened `seq` of the folds that are open
 * @returns the same array where there is nothing to fold
 */
export function foldGroups(items: readonly LogItem[], opened: ReadonlySet<number>): readonly LogRow[] {
  const rows: LogRow[] = [];
  let folds = 0;
  for (let index = 0; index < items.length; ) {
    const end = groupEnd(items, index);
    const count = end - index - 1 - FOLD_KEEP;
    const above = items[index + FOLD_KEEP];
    const isLong = end - index - 1 > FOLD_OVER && above !== undefined;
    const isOpen = isLong && opened.has(above.seq + 0.5);
    const from = index;
    for (const stop = isLong && !isOpen ? index + FOLD_KEEP + 1 : end; index < stop; index += 1) {
      const item = items[index];
      if (item !== undefined) rows.push(item);
      if (isLong && index === from + FOLD_KEEP) {
        rows.push({ kind: 'fold', seq: above.seq + 0.5, count, isOpen, groupLevel: levelOf(above) });
        folds += 1;
      }
    }
    index = end;
  }
  return folds === 0 ? items : rows;
}

/** All lines of the entry that the line with this number begins; of a continuation that line alone. */
export function entryLines(items: readonly LogItem[], seq: number): string[] {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.seq ?? seq) < seq) low = middle + 1;
    else high = middle;
  }
  const item = items[low];
  if (item?.kind !== 'line' || item.seq !== seq) return [];
  const end = item.continuation ? low + 1 : groupEnd(items, low);
  return items.slice(low, end).flatMap((one) => (one.kind === 'line' ? [one.line] : []));
}
