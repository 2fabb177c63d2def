/**
 * What a viewer saw, oldest first: runs of line numbers (see `lines.ts`; each run counts up by one) and the notices that
 * announced a hole before the line that follows.
 */
export type HistoryEvent = { kind: 'lines'; first: number; last: number } | { kind: 'gap'; reason: string };

/** What one history lacks or has too much, against the truth. All counts are lines, except `silentGaps`. */
export interface Verdict {
  /** Lines of the truth, from the viewer's first one on, that it never saw and no notice announced. */
  lost: number;
  /** Lines seen again. */
  duplicated: number;
  /** Lines first seen after a later one. */
  reordered: number;
  /** Lines that are not in the truth. */
  invented: number;
  /** Holes that no notice announced. */
  silentGaps: number;
  /** Notices, and the lines that are missing behind them. */
  announcedGaps: number;
  announcedLines: number;
  /** Different lines seen. */
  seen: number;
}

export const CLEAN: Verdict = {
  lost: 0,
  duplicated: 0,
  reordered: 0,
  invented: 0,
  silentGaps: 0,
  announcedGaps: 0,
  announcedLines: 0,
  seen: 0,
};

export interface Truth {
  /** Place in the journal of each line number; undefined for a number that is not in it. */
  placeOf(line: number): number | undefined;
  /** Lines in the journal. */
  readonly length: number;
  /** Place that a viewer must have started at or before. */
  readonly startBy: number;
}

/**
 * Compares one history with the truth. Nothing is forgiven: a hole is lost unless a notice stands directly before the line
 * behind it, and a line that comes late is reordered even where it fills a hole.
 */
export function checkHistory(history: readonly HistoryEvent[], truth: Truth): Verdict {
  const verdict = { ...CLEAN };
  const seen = new Uint8Array(truth.length);
  /** Holes between neighbours in the history, as [from, to) in places of the truth, and whether they were announced. */
  const holes: { from: number; to: number; announced: boolean }[] = [];
  let highest = -1;
  let announced = false;

  function see(place: number): void {
    if (seen[place]) {
      verdict.duplicated++;
      return;
    }
    seen[place] = 1;
    verdict.seen++;
    if (place < highest) {
      verdict.reordered++;
      return;
    }
    const from = highest === -1 ? Math.min(truth.startBy, place) : highest + 1;
    if (place > from) holes.push({ from, to: place, announced });
    highest = place;
    announced = false;
  }

  for (const event of history) {
    if (event.kind === 'gap') {
      verdict.announcedGaps++;
      announced = true;
      continue;
    }
    for (let line = event.first; line <= event.last; line++) {
      const place = truth.placeOf(line);
      if (place === undefined) verdict.invented++;
      else see(place);
    }
  }
  const end = highest === -1 ? Math.min(truth.startBy, truth.length) : highest + 1;
  if (end < truth.length) holes.push({ from: end, to: truth.length, announced: false });

  for (const hole of holes) {
    let missing = 0;
    for (let place = hole.from; place < hole.to; place++) if (!seen[place]) missing++;
    if (hole.announced) verdict.announcedLines += missing;
    else {
      verdict.lost += missing;
      verdict.silentGaps++;
    }
  }
  return verdict;
}

export function addVerdicts(verdicts: readonly Verdict[]): Verdict {
  const sum = { ...CLEAN };
  for (const verdict of verdicts) {
    for (const key of Object.keys(sum) as (keyof Verdict)[]) sum[key] += verdict[key];
  }
  return sum;
}

/** The value that `share` (0..1) of the sorted values do not exceed; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}
