import { Copy, Link, TextSelect } from 'lucide-react';
import type { LogLine } from 'tailwire/client';
import { copyText } from '../../lib/copy.ts';
import { formatInstant, type TimeZone } from '../../lib/format.ts';
import { lineLink } from '../../lib/line-link.ts';
import { plainJson } from '../../lib/line-tokens.ts';
import { Button } from '../ui/button.tsx';
import { LineText } from './line-text.tsx';

const noRanges = () => [];

interface LogDetailsProps {
  service: string;
  line: LogLine;
  zone: TimeZone;
  /** Copies the line with all further lines of its entry. */
  onCopy: (seq: number) => void;
  onContext?: (line: LogLine) => void;
}

/** Everything that is known about a line. */
export function LogDetails({ service, line, zone, onCopy, onContext }: LogDetailsProps) {
  const known: [string, string | null][] = [
    ['time', line.time === null ? null : formatInstant(line.time, zone)],
    ['level', line.level],
    ['target', line.target],
    [
      'process',
      [line.identifier, line.pid === null ? null : `[${line.pid}]`].filter(Boolean).join('') || null,
    ],
    ['message', line.message],
    ...Object.entries(line.fields),
    ['raw', line.line],
  ];
  return (
    <div className="sticky left-0 mx-8 mb-2 max-w-[min(60rem,calc(100vw-5rem))] rounded-md border border-line bg-canvas p-2.5 max-md:mx-3">
      <dl className="grid grid-cols-[max-content_1fr] gap-x-4 whitespace-pre-wrap [overflow-wrap:anywhere]">
        {known.map(([name, value], index) =>
          value === null ? null : (
            // biome-ignore lint/suspicious/noArrayIndexKey: a field of the line may be called like one of ours
            <div key={index} className="contents">
              <dt className="text-muted">
                <LineText text={name} ranges={noRanges} />
              </dt>
              <dd className="min-w-0">
                <LineText text={value} ranges={noRanges} />
              </dd>
            </div>
          ),
        )}
      </dl>
      <div className="mt-2 flex flex-wrap gap-2 font-sans">
        <Button size="small" onClick={() => onCopy(line.seq)}>
          <Copy aria-hidden="true" className="h-4 w-4" /> {line.continuation ? 'Line' : 'Entry'}
        </Button>
        <Button size="small" onClick={() => void copyText(toJson(line), 'JSON')}>
          <Copy aria-hidden="true" className="h-4 w-4" /> JSON
        </Button>
        <Button size="small" onClick={() => void copyText(lineLink(service, line.id), 'Link')}>
          <Link aria-hidden="true" className="h-4 w-4" /> Link
        </Button>
        {onContext !== undefined && (
          <Button size="small" onClick={() => onContext(line)}>
            <TextSelect aria-hidden="true" className="h-4 w-4" /> In context
          </Button>
        )}
      </div>
    </div>
  );
}

/** The entry without what only this page knows. */
function toJson({ kind: _kind, seq: _seq, groupLevel: _groupLevel, ...entry }: LogLine): string {
  return plainJson(entry);
}
