'use client';

import { useEffect, useRef } from 'react';
import { toast } from 'sonner';
import type { StatusTransition } from 'tailwire/shared/node-status.ts';
import { plainText } from '../../lib/line-tokens.ts';
import { STATUS_LOOK } from '../../lib/status-look.ts';

/** Says what changed since the page was opened; the same change of a service replaces its last toast. */
export function useTransitionToasts(transitions: readonly StatusTransition[]): void {
  const newest = transitions[0];
  const told = useRef<StatusTransition | null>(null);
  useEffect(() => {
    if (newest === undefined || newest === told.current) return;
    told.current = newest;
    const { service, from, to, cause } = newest;
    const options = { id: service, description: plainText(cause) };
    const text = `${service}: ${STATUS_LOOK[from].label} → ${STATUS_LOOK[to].label}`;
    if (to === 'failed') toast.error(text, options);
    else if (to === 'active') toast.success(text, options);
    else toast(text, options);
  }, [newest]);
}
