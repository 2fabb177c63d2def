'use client';

import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { TailwireProvider } from 'tailwire/react';
import { gatewayUrl, readToken } from '../../lib/gateway.ts';
import { useConfig } from '../../lib/use-config.ts';
import { useSession } from '../../lib/use-session.ts';
import { ErrorAlert } from '../ui/error-alert.tsx';
import { Loading } from '../ui/loading.tsx';
import { NodeView } from './node-view.tsx';

/** Settings of the log streams on this page: an hour or two of a chatty client. */
const LOG_SETTINGS = { capacity: 50_000 };

/** The page of one host: for those who are logged in, others go to the login. */
export function NodePage() {
  const router = useRouter();
  const config = useConfig();
  const { state, retry } = useSession();

  useEffect(() => {
    if (state.phase === 'out') router.replace('/');
  }, [state.phase, router]);

  if (state.phase === 'error') {
    return (
      <main className="mx-auto flex min-h-dvh max-w-xl flex-col justify-center px-4">
        <ErrorAlert error={state.error} action={{ label: 'Try again', run: retry }} />
      </main>
    );
  }
  if (state.phase !== 'in') return <Loading text="Looking for your session…" />;
  const token = readToken();
  return (
    <TailwireProvider
      {...(gatewayUrl === undefined ? {} : { url: gatewayUrl })}
      {...(token === undefined ? {} : { token })}
      logs={LOG_SETTINGS}
    >
      <NodeView session={state.session} units={config?.units ?? []} />
    </TailwireProvider>
  );
}
