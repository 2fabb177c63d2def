import type { StatusWord } from 'tailwire/shared/node-status.ts';

export interface StatusLook {
  readonly label: string;
  readonly text: string;
  readonly fill: string;
  /** Place among the cards: what needs a look comes first. */
  readonly order: number;
}

/** Unknown is not down: the host could not be asked. It has a colour and a word of its own. */
export const STATUS_LOOK: Readonly<Record<StatusWord, StatusLook>> = {
  failed: { label: 'Failed', text: 'text-bad', fill: 'bg-bad', order: 0 },
  unknown: { label: 'Unknown', text: 'text-odd', fill: 'bg-odd', order: 1 },
  activating: { label: 'Starting', text: 'text-warn', fill: 'bg-warn', order: 2 },
  deactivating: { label: 'Stopping', text: 'text-warn', fill: 'bg-warn', order: 2 },
  reloading: { label: 'Reloading', text: 'text-warn', fill: 'bg-warn', order: 2 },
  active: { label: 'Active', text: 'text-good', fill: 'bg-good', order: 3 },
  inactive: { label: 'Inactive', text: 'text-muted', fill: 'bg-muted', order: 4 },
  not_installed: { label: 'Not installed', text: 'text-muted', fill: 'bg-line', order: 5 },
};
