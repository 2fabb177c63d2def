'use client';

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import { type ConnectionState, IDLE_STATE } from '../connection.ts';
import type { GatewayClient } from '../gateway.ts';
import { useGateway } from './context.ts';

export interface UseWebSocket
  extends ConnectionState,
    Pick<GatewayClient, 'emit' | 'request' | 'on' | 'socket'> {
  /** Tries now, also after `denied`; a token replaces the one in use. */
  reconnect: (token?: string) => void;
  readonly isConnected: boolean;
  readonly isAuthenticated: boolean;
  /** The text of `error`. */
  readonly lastError: string | null;
}

/** What the server renders: nothing is known yet. */
const serverState = (): ConnectionState => IDLE_STATE;
const noSubscription = () => () => {};

/**
 * The connection to the gateway. Using it opens the connection, unless `enabled` is false: then it is only watched.
 *
 * @throws Error outside a TailwireProvider
 */
export function useWebSocket(options: { enabled?: boolean } = {}): UseWebSocket {
  const { enabled = true } = options;
  const client = useGateway('useWebSocket');
  const subscribe = useCallback(
    (listener: () => void) => {
      const remove = client.subscribe(listener);
      const release = enabled ? client.retain() : noSubscription();
      return () => {
        remove();
        release();
      };
    },
    [client, enabled],
  );
  const state = useSyncExternalStore(subscribe, client.getState, serverState);
  return useMemo(
    () => ({
      ...state,
      emit: client.emit,
      request: client.request,
      on: client.on,
      reconnect: client.reconnect,
      socket: client.socket,
      isConnected: state.status === 'open',
      isAuthenticated: state.status === 'open',
      lastError: state.error?.message ?? null,
    }),
    [state, client],
  );
}
