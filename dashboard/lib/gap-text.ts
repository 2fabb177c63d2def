import type { GapReason } from 'tailwire/client';

/** What happened to the missing lines, in a sentence. */
export const GAP_TEXT: Readonly<Record<GapReason, string>> = {
  journal_vacuumed: 'The journal on the host was vacuumed in the meantime.',
  journal_replaced: 'The journal on the host is a new one: it was reinstalled or its journal was deleted.',
  clock_changed: 'The clock of the host was set back.',
  slow_reader: 'This connection could not keep up.',
  position_lost: 'The gateway no longer knows the position, so the view starts anew here.',
  unknown: 'The gateway could not resume and gave no reason.',
};
