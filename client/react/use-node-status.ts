'use client';

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { StatusWord } from '../../shared/node-status.ts';
import { PENDING_STATUS, type StatusSnapshot } from '../status-feed.ts';
import { useGateway } from './context.ts';

export interface UseNodeStatusOptions {
  /** Poll interval in ms; 5000. Of all users on one connection the shortest counts. */
  interval?: number;
  /** False: do not subscribe. */
  enabled?: boolean;
}

export interface UseNodeStatus extends StatusSnapshot {
  /** Asks for an update now. */
  refetch: () => void;
  /** The one-word status of each service. */
  readonly statuses: Readonly<Record<string, StatusWord>>;
  readonly isLoading: boolean;
}

const serverState = (): StatusSnapshot => PENDING_STATUS;
const nothing = () => () => {};

/**
 * The status of the host's units, kept up to date.
 *
 * @param input the poll interval in ms, options, or null to be off
 * @throws Error outside a TailwireProvider
 */
export function useNodeStatus(input: number | UseNodeStatusOptions | null = {}): UseNodeStatus {
  const options = typeof input === 'number' ? { interval: input } : (input ?? { enabled: false });
  const { interval, enabled = true } = options;
  const { status: feed } = useGateway('useNodeStatus');
  const subscribe = useCallback(
    (listener: () => void) => feed.subscribe(listener, interval),
    [feed, interval],
  );
  const state = useSyncExternalStore(
    enabled ? subscribe : nothing,
    enabled ? feed.get : serverState,
    serverState,
  );
  return useMemo(
    () => ({
      ...state,
      refetch: feed.refetch,
      statuses: Object.fromEntries((state.data ?? []).map(({ service, status }) => [service, status])),
      isLoading: state.status === 'pending',
    }),
    [state, feed],
  );
}
