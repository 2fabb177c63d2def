'use client';

import { useRouter } from 'next/navigation';
import { useCallback } from 'react';
import { logout as sendLogout } from 'tailwire/client';
import { forgetToken, httpOptions } from './gateway.ts';

/** Ends the session and goes to the login page. */
export function useLogout(): () => Promise<void> {
  const router = useRouter();
  return useCallback(async () => {
    // Where the gateway cannot be asked the session ends by itself; this page has no use for it either way.
    await sendLogout(httpOptions()).catch(() => {});
    forgetToken();
    router.replace('/');
  }, [router]);
}
