'use client';

import { useRouter } from 'next/navigation';
import { useNodeStatus, useWebSocket } from 'tailwire/react';
import { forgetToken } from '../../lib/gateway.ts';
import { ErrorAlert } from '../ui/error-alert.tsx';

/** A connection that is back at the first attempt is not worth a box; the badge shows it. */
const QUIET_ATTEMPTS = 1;

/** What is wrong with the connection or the host, and what can be done about it. */
export function ConnectionAlert() {
  const router = useRouter();
  const { status, error, attempt, reconnect } = useWebSocket();
  const node = useNodeStatus();

  if (status === 'denied' && error !== null) {
    const run = () => {
      forgetToken();
      router.replace('/');
    };
    return <ErrorAlert error={error} action={{ label: 'Log in again', run }} />;
  }
  if (status === 'reconnecting' && error !== null && attempt > QUIET_ATTEMPTS) {
    return <ErrorAlert error={error} action={{ label: 'Reconnect now', run: () => reconnect() }} />;
  }
  if (status === 'open' && (error ?? node.error) !== null) {
    const shown = error ?? node.error;
    if (shown !== null)
      return <ErrorAlert error={shown} action={{ label: 'Check again', run: node.refetch }} />;
  }
  return null;
}
