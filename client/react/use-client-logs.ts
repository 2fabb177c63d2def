'use client';

import { useMemo, useSyncExternalStore } from 'react';
import { localError } from '../errors.ts';
import type { GatewayClient } from '../gateway.ts';
import type { LogFilter } from '../log-filter.ts';
import { createLogView, type LogView, type LogViewSnapshot } from '../log-view.ts';
import { NO_SEARCH } from '../older-search.ts';
import { useGateway } from './context.ts';

export interface UseClientLogsOptions {
  /** Unit to watch; null: none. */
  service: string | null;
  /** False: do not subscribe. */
  enabled?: boolean;
  /** Show only the newest lines, this many; all that the buffer holds unless given. */
  maxLines?: number;
  /** Filter at the start; `setFilter` changes it. */
  filter?: LogFilter;
}

export interface UseClientLogs
  extends LogViewSnapshot,
    Pick<
      LogView,
      'pause' | 'resume' | 'clear' | 'loadOlder' | 'searchOlder' | 'history' | 'setFilter' | 'retry'
    > {}

const NO_COUNTS = { unknown: 0, trace: 0, debug: 0, info: 0, notice: 0, warn: 0, error: 0, fatal: 0 };

const EMPTY: LogViewSnapshot = Object.freeze({
  service: '',
  status: 'idle',
  error: null,
  lines: Object.freeze([]),
  counts: Object.freeze(NO_COUNTS),
  dropped: 0,
  cursor: null,
  hasOlder: false,
  loadingOlder: false,
  filter: Object.freeze({}),
  filterError: null,
  paused: false,
  newCount: 0,
  total: 0,
  older: NO_SEARCH,
});

const serverState = (): LogViewSnapshot => EMPTY;

/** The view of no service: nothing to see, nothing to do. */
const NO_VIEW: LogView = {
  get: serverState,
  subscribe: () => () => {},
  setFilter() {},
  pause() {},
  resume() {},
  clear() {},
  async loadOlder() {},
  async searchOlder() {},
  history: async () => ({ ok: false, error: localError('not_connected') }),
  retry() {},
};

/**
 * The lines of a service, live, resumed without loss after any reconnect. Each use has its own filter and pause; the
 * subscription below is shared.
 *
 * @param input the unit (null: off) or options
 * @param maxLines only the newest lines, this many
 * @throws Error outside a TailwireProvider
 */
export function useClientLogs(input: string | null | UseClientLogsOptions, maxLines?: number): UseClientLogs {
  const options: UseClientLogsOptions =
    typeof input === 'object' && input !== null ? input : { service: input };
  const client = useGateway('useClientLogs');
  const service = options.enabled === false ? null : options.service;
  const view = useView(client, service, options.filter);
  const state = useSyncExternalStore(view.subscribe, view.get, serverState);
  const limit = options.maxLines ?? maxLines;
  return useMemo(
    () => ({
      ...state,
      lines: limit === undefined ? state.lines : state.lines.slice(-limit),
      pause: view.pause,
      resume: view.resume,
      clear: view.clear,
      loadOlder: view.loadOlder,
      searchOlder: view.searchOlder,
      history: view.history,
      setFilter: view.setFilter,
      retry: view.retry,
    }),
    [state, view, limit],
  );
}

function useView(client: GatewayClient, service: string | null, filter: LogFilter | undefined): LogView {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the filter is that of the start; setFilter changes it
  return useMemo(
    () => (service === null ? NO_VIEW : createLogView(client.logs(service), filter)),
    [client, service],
  );
}
