import { ChevronRight, Copy } from 'lucide-react';
import { memo } from 'react';
import type { CompiledFilter, LogLine } from 'tailwire/client';
import { cx } from '../../lib/class-names.ts';
import { formatInstant, formatLogTime, type TimeZone } from '../../lib/format.ts';
import { LEVEL_COLOUR } from '../../lib/levels.ts';
import { LineText } from './line-text.tsx';
import { LogDetails } from './log-details.tsx';

interface LogRowProps {
  service: string;
  line: LogLine;
  ranges: CompiledFilter['ranges'];
  wrap: boolean;
  zone: TimeZone;
  isOpen: boolean;
  isMarked: boolean;
  onToggle: (seq: number) => void;
  /** Copies the line with all further lines of its entry. */
  onCopy: (seq: number) => void;
  /** Shows what stands around the line; missing where that is what is being shown. */
  onContext?: (line: LogLine) => void;
}

/** Characters of a text shown in the list; the details have all of it. A line may have 48 kB. */
const SHOWN = 2000;

/** One line: time, level, who wrote it, what. Its button opens all fields. */
export const LogRow = memo(function LogRow(props: LogRowProps) {
  const { service, line, ranges, wrap, zone, isOpen, isMarked, onToggle, onCopy, onContext } = props;
  const fields = Object.entries(line.fields);
  return (
    <div
      data-seq={line.seq}
      data-level={line.level ?? 'none'}
      className={cx(
        'group border-l-2 pr-3',
        isMarked ? 'border-accent bg-raised' : 'border-transparent hover:bg-raised',
        line.groupLevel === 'error' && !isMarked && 'border-l-bad',
        line.groupLevel === 'fatal' && !isMarked && 'border-l-odd',
      )}
    >
      <div
        className={cx(
          'relative flex gap-x-2 max-md:flex-wrap',
          wrap ? 'whitespace-pre-wrap' : 'whitespace-pre',
        )}
      >
        <button
          type="button"
          tabIndex={-1}
          aria-expanded={isOpen}
          aria-label="Details of the line"
          onClick={() => onToggle(line.seq)}
          className="flex h-[22px] w-6 shrink-0 items-center justify-center text-muted max-md:w-9"
        >
          <ChevronRight
            aria-hidden="true"
            className={cx('h-3.5 w-3.5 transition-transform', isOpen && 'rotate-90')}
          />
        </button>
        <span
          className="shrink-0 text-muted tabular-nums"
          title={line.time === null ? undefined : formatInstant(line.time, 'utc')}
        >
          {line.time === null ? '--:--:--.---' : formatLogTime(line.time, zone)}
        </span>
        <span className={cx('w-[3.25rem] shrink-0', line.level !== null && LEVEL_COLOUR[line.level])}>
          {line.level ?? ''}
        </span>
        <span
          className={cx(
            'min-w-0',
            wrap && 'flex-1 [overflow-wrap:anywhere] max-md:basis-full max-md:pb-1 max-md:pl-9',
            line.continuation && 'pl-4',
          )}
        >
          {line.target !== null && <span className="text-info">{line.target} </span>}
          <LineText text={line.message.slice(0, SHOWN)} raw={line.line} ranges={ranges} />
          {line.message.length > SHOWN && (
            <span className="font-sans text-muted"> … {line.message.length - SHOWN} more characters</span>
          )}
          {fields.map(([name, value]) => (
            <span key={name}>
              {' '}
              <span className="text-muted">
                <LineText text={name} ranges={ranges} />=
              </span>
              <LineText text={value.slice(0, SHOWN)} ranges={ranges} />
            </span>
          ))}
        </span>
        <button
          type="button"
          tabIndex={-1}
          aria-label="Copy the line"
          title="Copy the line"
          onClick={() => onCopy(line.seq)}
          className="sticky right-2 ml-auto h-[22px] max-md:hidden shrink-0 rounded border border-line bg-surface px-1.5 text-muted opacity-0 group-hover:opacity-100 hover:text-strong"
        >
          <Copy aria-hidden="true" className="h-3.5 w-3.5" />
        </button>
      </div>
      {isOpen && (
        <LogDetails
          service={service}
          line={line}
          zone={zone}
          onCopy={onCopy}
          {...(onContext === undefined ? {} : { onContext })}
        />
      )}
    </div>
  );
});
