'use client';

import { useEffect, useState } from 'react';
import { useNodeStatus } from 'tailwire/react';
import type { SessionInfo } from 'tailwire/shared/http.ts';
import { useUrlState } from '../../lib/use-url-state.ts';
import { LogViewer } from '../logs/log-viewer.tsx';
import { ConnectionAlert } from './connection-alert.tsx';
import { NodeHeader } from './node-header.tsx';
import { StatusGrid } from './status-grid.tsx';
import { useTransitionToasts } from './use-transition-toasts.ts';

interface NodeViewProps {
  session: SessionInfo;
  /** Units in display order, from the gateway's settings. */
  units: readonly string[];
}

/** One host: its services on top, the log of one of them below. */
export function NodeView({ session, units }: NodeViewProps) {
  const node = useNodeStatus();
  const [chosen, choose] = useUrlState('service');
  const [unread, setUnread] = useState(0);
  useTransitionToasts(node.transitions);

  const failed = node.data?.filter((unit) => unit.status === 'failed').length ?? 0;
  useEffect(() => {
    const marks = [failed > 0 ? `${failed} failed` : '', unread > 0 ? `${unread} new` : ''].filter(Boolean);
    document.title = `${marks.length > 0 ? `(${marks.join(', ')}) ` : ''}${session.host} · Tailwire`;
  }, [failed, unread, session.host]);

  const services = node.data?.map((unit) => unit.service) ?? units;
  const running = node.data?.find((unit) => unit.status !== 'not_installed')?.service;
  const service = chosen ?? running ?? services[0] ?? null;
  return (
    <div className="flex h-dvh min-h-[36rem] flex-col">
      <NodeHeader session={session} />
      <main className="flex min-h-0 flex-1 flex-col gap-3 px-3 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] sm:px-4">
        <ConnectionAlert />
        <StatusGrid node={node} selected={service} onSelect={choose} />
        {service !== null && (
          <LogViewer
            key={service}
            service={service}
            services={services}
            onService={choose}
            onUnread={setUnread}
          />
        )}
      </main>
    </div>
  );
}
