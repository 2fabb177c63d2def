'use client';

import type { UseNodeStatus } from 'tailwire/react';
import { cx } from '../../lib/class-names.ts';
import { STATUS_LOOK } from '../../lib/status-look.ts';
import { StatusCard } from './status-card.tsx';
import { UpdatedAgo } from './updated-ago.tsx';

interface StatusGridProps {
  node: UseNodeStatus;
  selected: string | null;
  onSelect: (service: string) => void;
}

/** One card per service; what needs a look stands first. */
export function StatusGrid({ node, selected, onSelect }: StatusGridProps) {
  const { data, history, cpuShare, isStale, updatedAt } = node;
  // The sort is stable: within one state the gateway's order stays.
  const units = [...(data ?? [])].sort((a, b) => STATUS_LOOK[a.status].order - STATUS_LOOK[b.status].order);
  return (
    <section aria-labelledby="services-title">
      <div className="mb-2 flex items-baseline justify-between gap-3">
        <h2 id="services-title" className="text-sm font-semibold">
          Services
        </h2>
        {updatedAt !== null && <UpdatedAgo at={updatedAt} isStale={isStale} />}
      </div>
      {data === undefined ? (
        <Skeletons />
      ) : (
        <ul
          className={cx(
            // On a phone a strip to swipe, so that the log stays in sight.
            'gap-2 max-md:-mx-3 max-md:flex max-md:snap-x max-md:scroll-pl-3 max-md:overflow-x-auto max-md:px-3 max-md:py-px',
            'md:grid md:grid-cols-[repeat(auto-fill,minmax(12.500rem,1fr))]',
            isStale && 'opacity-75 grayscale',
          )}
        >
          {units.map((unit) => (
            <StatusCard
              key={unit.service}
              unit={unit}
              checks={history[unit.service] ?? []}
              cpuShare={cpuShare[unit.service]}
              isSelected={unit.service === selected}
              onSelect={() => onSelect(unit.service)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function Skeletons() {
  return (
    <div
      role="status"
      aria-label="Waiting for the first status"
      className="grid gap-2 grid-cols-2 md:grid-cols-4"
    >
      {['a', 'b', 'c', 'd'].map((key) => (
        <div key={key} className="h-32 motion-safe:animate-pulse rounded-xl border border-line bg-surface" />
      ))}
    </div>
  );
}
