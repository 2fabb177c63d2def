'use client';

import { LogOut, Server } from 'lucide-react';
import type { SessionInfo } from 'tailwire/shared/http.ts';
import { useLogout } from '../../lib/use-logout.ts';
import { Brand } from '../ui/brand.tsx';
import { Button } from '../ui/button.tsx';
import { ThemeToggle } from '../ui/theme-toggle.tsx';
import { ConnectionBadge } from './connection-badge.tsx';

/** Which host, how the connection is, and the way out. */
export function NodeHeader({ session }: { session: SessionInfo }) {
  const logout = useLogout();
  return (
    <header className="sticky top-0 z-20 flex items-center gap-x-4 gap-y-1 border-b border-line bg-surface px-3 py-2 pt-[max(0.5rem,env(safe-area-inset-top))] sm:px-4">
      <span className="flex max-sm:hidden">
        <Brand />
      </span>
      <h1 className="flex min-w-0 items-center gap-2">
        <Server aria-hidden="true" className="h-4 w-4 shrink-0 text-muted" />
        <span className="truncate font-medium">{session.demo ? 'Demo node' : session.host}</span>
        <span className="truncate text-sm text-muted max-md:hidden">
          {session.username}@{session.host}
        </span>
      </h1>
      <div className="ml-auto flex items-center gap-1">
        <ConnectionBadge />
        <ThemeToggle />
        <Button look="quiet" size="icon" aria-label="Log out" title="Log out" onClick={() => void logout()}>
          <LogOut aria-hidden="true" className="h-[1.15rem] w-[1.15rem]" />
        </Button>
      </div>
    </header>
  );
}
