'use client';

import { createContext, useContext } from 'react';
import type { GatewayClient } from '../gateway.ts';

export const GatewayContext = createContext<GatewayClient | null>(null);

/**
 * The gateway client of the provider above.
 *
 * @throws Error that names the fix, where there is no provider
 */
export function useGateway(hook = 'useGateway'): GatewayClient {
  const client = useContext(GatewayContext);
  if (client === null) {
    throw new Error(`${hook}() needs a <TailwireProvider> above it: wrap the page or the layout in one.`);
  }
  return client;
}
