import type { StatusCheck } from 'tailwire/client';
import type { ChainFacts, UnitStatus } from 'tailwire/shared/node-status.ts';
import { cx } from '../../lib/class-names.ts';
import { formatBytes, formatCount, formatShare } from '../../lib/format.ts';
import { plainText } from '../../lib/line-tokens.ts';
import { STATUS_LOOK } from '../../lib/status-look.ts';
import { CheckStrip } from './check-strip.tsx';
import { Since } from './since.tsx';

interface StatusCardProps {
  unit: UnitStatus;
  checks: readonly StatusCheck[];
  /** Share of one core; undefined where it is not known. */
  cpuShare: number | undefined;
  isSelected: boolean;
  onSelect: () => void;
}

/** The state of one service. The card opens its log. */
export function StatusCard({ unit, checks, cpuShare, isSelected, onSelect }: StatusCardProps) {
  const look = STATUS_LOOK[unit.status];
  const isMissing = unit.status === 'not_installed';
  const failure = unit.status === 'failed' ? failureText(unit) : null;
  return (
    <li
      data-service={unit.service}
      data-status={unit.status}
      className={cx(
        'relative flex min-w-0 flex-col gap-1 max-md:w-44 max-md:shrink-0 max-md:snap-start rounded-xl border bg-surface p-3 transition-colors',
        isMissing && 'border-dashed',
        isSelected ? 'border-accent ring-1 ring-accent' : 'border-line hover:border-muted',
      )}
    >
      <div className="flex items-baseline justify-between gap-2">
        <h3 className={cx('min-w-0 truncate font-medium', isMissing && 'font-normal text-muted')}>
          <button
            type="button"
            onClick={onSelect}
            aria-pressed={isSelected}
            title={unit.description === undefined ? undefined : plainText(unit.description)}
            className="after:absolute after:inset-0 after:rounded-xl"
          >
            {unit.service}
          </button>
        </h3>
        {unit.client !== undefined && <span className="truncate text-xs text-muted">{unit.client}</span>}
      </div>
      <p className={cx('flex items-center gap-2 text-sm', look.text)}>
        <span aria-hidden="true" className={cx('h-2.5 w-2.5 shrink-0 rounded-full', look.fill)} />
        <span className="font-medium">{look.label}</span>
        {unit.subState !== undefined && !isMissing && (
          <span className="truncate text-xs text-muted">{unit.subState}</span>
        )}
      </p>
      {!isMissing && (
        <p className="truncate text-xs text-muted">
          {failure ?? (unit.since === undefined ? 'No data from the host' : <Since iso={unit.since} />)}
        </p>
      )}
      {unit.facts !== undefined && <Chain facts={unit.facts} />}
      {!isMissing && <Figures unit={unit} cpuShare={cpuShare} />}
      <CheckStrip checks={checks} />
    </li>
  );
}

/** How the client's chain is, by its own words. */
function Chain({ facts }: { facts: ChainFacts }) {
  const { headSlot, headBlock, peers, syncDistance, synced } = facts;
  const isSlot = headSlot !== undefined;
  const head = headSlot ?? headBlock;
  return (
    <dl data-chain="" className="flex flex-wrap gap-x-3 text-xs tabular-nums">
      {head !== undefined && (
        <Figure name={isSlot ? 'Slot' : 'Block'} value={formatCount(head)} title={finality(facts)} />
      )}
      {peers !== undefined && (
        <Figure name="Peers" value={formatCount(peers)} look={peers === 0 ? 'text-bad' : undefined} />
      )}
      {synced === true && <Figure name="Sync" isNameHidden value="in sync" look="text-good" />}
      {synced === false && (
        <Figure
          name="Sync"
          isNameHidden
          value={syncDistance === undefined ? 'behind' : `${formatCount(syncDistance)} behind`}
          look="text-warn"
        />
      )}
    </dl>
  );
}

function finality({ finalizedEpoch, justifiedEpoch, finalizedBlock }: ChainFacts): string | undefined {
  const known = [
    finalizedEpoch === undefined ? null : `finalized epoch ${formatCount(finalizedEpoch)}`,
    justifiedEpoch === undefined ? null : `justified epoch ${formatCount(justifiedEpoch)}`,
    finalizedBlock === undefined ? null : `finalized block ${formatCount(finalizedBlock)}`,
  ];
  return known.filter((text) => text !== null).join(', ') || undefined;
}

function Figures({ unit, cpuShare }: Pick<StatusCardProps, 'unit' | 'cpuShare'>) {
  const { memoryBytes, restarts } = unit;
  return (
    <dl className="mt-auto flex flex-wrap gap-x-3 text-xs tabular-nums">
      {cpuShare !== undefined && <Figure name="CPU" value={formatShare(cpuShare)} />}
      {memoryBytes !== undefined && <Figure name="Mem" value={formatBytes(memoryBytes)} />}
      {restarts !== undefined && restarts > 0 && <Figure name="Restarts" value={String(restarts)} />}
    </dl>
  );
}

interface FigureProps {
  name: string;
  value: string;
  title?: string | undefined;
  /** For screen readers alone: the value says it. */
  isNameHidden?: boolean;
  /** Class names of the value. */
  look?: string | undefined;
}

function Figure({ name, value, title, look, isNameHidden = false }: FigureProps) {
  return (
    <div className="flex gap-1" title={title}>
      <dt className={isNameHidden ? 'sr-only' : 'text-muted'}>{name}</dt>
      <dd className={look}>{value}</dd>
    </div>
  );
}

/** How it ended, in systemd's words. */
function failureText({ result, exitCode }: UnitStatus): string | null {
  if (result === undefined) return null;
  return exitCode === undefined ? `Result: ${result}` : `Result: ${result}, status ${exitCode}`;
}
