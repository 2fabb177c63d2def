import type { LevelCounts, LogFilter } from 'tailwire/client';
import { LEVELS, type Level } from 'tailwire/shared/log-entry.ts';
import { cx } from '../../lib/class-names.ts';
import { LEVEL_COLOUR, LEVELS_BY_SEVERITY } from '../../lib/levels.ts';

interface LevelChipsProps {
  counts: LevelCounts;
  filter: LogFilter;
  onFilter: (filter: LogFilter) => void;
  /** Rows shown and items held. */
  shown: number;
  total: number;
}

/** One switch for each level, with its count. Lines without a level have none: they are never hidden. */
export function LevelChips({ counts, filter, onFilter, shown, total }: LevelChipsProps) {
  const on = new Set<Level>(filter.levels ?? LEVELS);

  function toggle(level: Level): void {
    const next = LEVELS.filter((each) => (each === level ? !on.has(each) : on.has(each)));
    const { levels: _levels, ...rest } = filter;
    onFilter(next.length === LEVELS.length ? rest : { ...rest, levels: next });
  }

  return (
    <div className="flex items-center gap-1.5 overflow-x-auto border-b border-line px-2 py-1.5 text-xs">
      <fieldset className="flex items-center gap-1.5">
        <legend className="sr-only">Levels shown</legend>
        {LEVELS_BY_SEVERITY.map((level) => (
          <button
            key={level}
            type="button"
            aria-pressed={on.has(level)}
            onClick={() => toggle(level)}
            className={cx(
              'inline-flex h-7 items-center gap-1.5 rounded-full border px-2.5 max-sm:h-9',
              on.has(level) ? 'border-line bg-raised' : 'border-dashed border-line text-muted line-through',
            )}
          >
            <span className={cx('font-medium', on.has(level) && LEVEL_COLOUR[level])}>{level}</span>
            <span className="text-muted tabular-nums">{counts[level]}</span>
          </button>
        ))}
      </fieldset>
      <span
        className="inline-flex h-7 items-center gap-1.5 px-1 whitespace-nowrap text-muted"
        title="Never hidden"
      >
        no level <span className="tabular-nums">{counts.unknown}</span>
      </span>
      <span className="ml-auto pl-2 whitespace-nowrap text-muted tabular-nums" data-testid="line-count">
        {shown === total ? `${total} lines` : `${shown} of ${total} lines`}
      </span>
    </div>
  );
}
