'use client';

import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { useConfig } from '../../lib/use-config.ts';
import { useLogin } from '../../lib/use-login.ts';
import { useSession } from '../../lib/use-session.ts';
import { Brand } from '../ui/brand.tsx';
import { ErrorAlert } from '../ui/error-alert.tsx';
import { Loading } from '../ui/loading.tsx';
import { ThemeToggle } from '../ui/theme-toggle.tsx';
import { DemoPanel } from './demo-panel.tsx';
import { LoginForm } from './login-form.tsx';

/** The first page: log in to a host, or open the demo node. Whoever is logged in goes on at once. */
export function LoginPage() {
  const router = useRouter();
  const config = useConfig();
  const { state, retry } = useSession();
  const { login, busy, error } = useLogin(() => router.replace('/node/'));

  useEffect(() => {
    if (state.phase === 'in') router.replace('/node/');
  }, [state.phase, router]);

  if (state.phase === 'loading' || state.phase === 'in') return <Loading text="Looking for your session…" />;
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-md flex-col justify-center gap-5 px-4 py-8">
      <div className="flex items-center justify-between">
        <h1>
          <Brand large />
        </h1>
        <ThemeToggle />
      </div>
      <p className="text-muted">
        The live window into your servers: their journals and services, over SSH, with no line lost.
      </p>
      {state.phase === 'error' && (
        <ErrorAlert error={state.error} action={{ label: 'Try again', run: retry }} />
      )}
      {error !== null && <ErrorAlert error={error} />}
      {config?.demo === true && <DemoPanel busy={busy} open={() => login({ demo: true })} />}
      <LoginForm busy={busy} login={login} second={config?.demo === true} />
      {config !== null && <p className="text-center text-xs text-muted">Tailwire {config.version}</p>}
    </main>
  );
}
