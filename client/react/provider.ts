'use client';

import { createElement, type ReactElement, type ReactNode, useMemo } from 'react';
import { createGatewayClient, type GatewayClient, type GatewayOptions } from '../gateway.ts';
import { GatewayContext } from './context.ts';

export interface TailwireProviderProps
  extends Pick<GatewayOptions, 'url' | 'token' | 'path' | 'logs' | 'lingerMs'> {
  /** A client made elsewhere; the other settings are ignored then. */
  client?: GatewayClient;
  /** `['websocket']` unless given. */
  transports?: readonly ('websocket' | 'polling')[];
  children?: ReactNode;
}

/**
 * Gives the hooks below it one gateway client, hence one connection, however many there are. The connection opens with
 * the first hook that needs it and closes some seconds after the last one has gone. A change of `url`, `token`, `path`
 * or `transports` makes a new client; `logs` and `lingerMs` are read when a client is made.
 */
export function TailwireProvider(props: TailwireProviderProps): ReactElement {
  const { children, client, url, token, path, transports, logs, lingerMs } = props;
  const transportList = transports?.join(',');
  // Making a client has no effect outside, so StrictMode may do it twice.
  // biome-ignore lint/correctness/useExhaustiveDependencies: logs and lingerMs are read when a client is made
  const value = useMemo(
    () =>
      client ??
      createGatewayClient({
        ...(url === undefined ? {} : { url }),
        ...(token === undefined ? {} : { token }),
        ...(path === undefined ? {} : { path }),
        ...(logs === undefined ? {} : { logs }),
        ...(lingerMs === undefined ? {} : { lingerMs }),
        ...(transportList === undefined ? {} : { transports: transportList.split(',').filter(isTransport) }),
      }),
    [client, url, token, path, transportList],
  );
  return createElement(GatewayContext.Provider, { value }, children);
}

function isTransport(name: string): name is 'websocket' | 'polling' {
  return name === 'websocket' || name === 'polling';
}
