'use client';

import { useCallback, useEffect, useState } from 'react';
import { type GatewayError, GatewayRequestError, session as readSession } from 'tailwire/client';
import type { SessionInfo } from 'tailwire/shared/http.ts';
import { httpOptions } from './gateway.ts';

export type SessionState =
  | { phase: 'loading' }
  | { phase: 'in'; session: SessionInfo }
  | { phase: 'out' }
  | { phase: 'error'; error: GatewayError };

/** Asks the gateway once who is logged in; `retry` asks again. */
export function useSession(): { state: SessionState; retry: () => void } {
  const [state, setState] = useState<SessionState>({ phase: 'loading' });
  const [round, setRound] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again
  useEffect(() => {
    let current = true;
    readSession(httpOptions()).then(
      (session) => {
        if (current) setState(session === null ? { phase: 'out' } : { phase: 'in', session });
      },
      (error: unknown) => {
        if (current && error instanceof GatewayRequestError) setState({ phase: 'error', error });
      },
    );
    return () => {
      current = false;
    };
  }, [round]);

  const retry = useCallback(() => {
    setState({ phase: 'loading' });
    setRound((last) => last + 1);
  }, []);
  return { state, retry };
}
