import { CircleHelp, Clock, Pause, Play, Trash2, WrapText } from 'lucide-react';
import type { RefObject } from 'react';
import type { LogFilter } from 'tailwire/client';
import type { UseClientLogs } from 'tailwire/react';
import type { TimeZone } from '../../lib/format.ts';
import { Button } from '../ui/button.tsx';
import { DownloadMenu } from './download-menu.tsx';
import { SearchBox } from './search-box.tsx';
import { ServicePicker } from './service-picker.tsx';
import { ToggleButton } from './toggle-button.tsx';

interface LogToolbarProps {
  service: string;
  services: readonly string[];
  onService: (service: string) => void;
  logs: UseClientLogs;
  filter: LogFilter;
  onFilter: (filter: LogFilter) => void;
  search: RefObject<HTMLInputElement | null>;
  held: boolean;
  onHeld: (held: boolean) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
  zone: TimeZone;
  onZone: (zone: TimeZone) => void;
  onHelp: () => void;
}

const ICON = 'h-[1.05rem] w-[1.05rem]';

/** Which log, what to look for in it, and how to show it. */
export function LogToolbar(props: LogToolbarProps) {
  const { service, services, onService, logs, filter, onFilter, search } = props;
  const { held, onHeld, wrap, onWrap, zone, onZone, onHelp } = props;
  const otherZone = zone === 'utc' ? 'local' : 'utc';
  return (
    <div
      role="toolbar"
      aria-label="Log"
      className="flex flex-wrap items-center gap-2 border-b border-line p-2"
    >
      <ServicePicker service={service} services={services} onService={onService} />
      <SearchBox filter={filter} onFilter={onFilter} error={logs.filterError} input={search} />
      <div className="ml-auto flex items-center gap-0.5 max-md:order-2">
        <Button size="small" aria-pressed={held} onClick={() => onHeld(!held)} title="Space">
          {held ? (
            <Play aria-hidden="true" className={ICON} />
          ) : (
            <Pause aria-hidden="true" className={ICON} />
          )}
          <span className="max-sm:sr-only">{held ? 'Resume' : 'Pause'}</span>
        </Button>
        <ToggleButton label="Wrap lines" hint="w" pressed={wrap} onPressed={onWrap} className="max-md:hidden">
          <WrapText aria-hidden="true" className={ICON} />
        </ToggleButton>
        <Button
          look="quiet"
          size="small"
          onClick={() => onZone(otherZone)}
          aria-label={`Times: ${zone}. Switch to ${otherZone}`}
          title={`Times: ${zone} (u)`}
        >
          <Clock aria-hidden="true" className={ICON} />
          <span className="w-9 text-left max-sm:sr-only">{zone === 'utc' ? 'UTC' : 'Local'}</span>
        </Button>
        <DownloadMenu service={service} filter={filter} />
        <Button
          look="quiet"
          size="icon"
          aria-label="Clear the view"
          title="Clear the view"
          onClick={logs.clear}
        >
          <Trash2 aria-hidden="true" className={ICON} />
        </Button>
        <Button
          look="quiet"
          size="icon"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={onHelp}
          className="max-md:hidden"
        >
          <CircleHelp aria-hidden="true" className={ICON} />
        </Button>
      </div>
    </div>
  );
}
