'use client';

import { useState } from 'react';
import { type GatewayError, GatewayRequestError, login as sendLogin } from 'tailwire/client';
import type { LoginRequest } from 'tailwire/shared/http.ts';
import { httpOptions, keepToken } from './gateway.ts';

/** Logs in; `done` is called when that worked. */
export function useLogin(done: () => void) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<GatewayError | null>(null);

  async function login(request: LoginRequest): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      // An old token must not speak for the new login.
      const answer = await sendLogin(request, { ...httpOptions(), token: undefined });
      keepToken(answer.token);
      done();
    } catch (cause) {
      if (!(cause instanceof GatewayRequestError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  }

  return { login, busy, error };
}
